"""The shipped detector and label check, opened by name of their folder and judged on worlds they were not trained on."""
import json
from pathlib import Path
import pytest
import espresso.nano
from espresso.contracts import load
from espresso.nano.detector import iou, judge_detector, unseen
from espresso.nano.labels import judge_labels
from espresso.video import Picture, read_frames
from espresso.world.render import make_scene, render_one

weights = Path(espresso.nano.__path__[0])/'weights'
NAMES = sorted({n for k in range(240) for n, _ in make_scene(k, 1000).actors if n})

@pytest.fixture(scope='module')
def seen(): return unseen(10, worlds=(1, 2), frames=1)

@pytest.fixture(scope='module')
def eye(): return load('detector', f'local:{weights/"detector"}?device=cpu')

@pytest.mark.parametrize('name, most', [('detector', 3.5), ('labels', 2)])
def test_folders_are_small_and_hold_safetensors_only(name, most):
    files = [f for f in (weights/name).iterdir()]
    assert sum(f.stat().st_size for f in files) < most*2**20 and {f.suffix for f in files} <= {'.json', '.safetensors', '.jinja', '.txt', '.jsonl'}
    assert json.loads((weights/name/'config.json').read_text())['dtype'] == 'float16'

def test_detector(eye, seen):
    r = judge_detector(eye, seen, NAMES, seed=3)
    assert r['found'] >= .85 and r['false'] <= .15, r

def test_detector_on_frames_of_a_video(eye, tmp_path):
    path = render_one(tmp_path, 9, seed=2)
    scene, times = make_scene(9, 2), [1., 4., 7., 9.]
    pictures = [(p.image, scene.boxes(round(p.frame.time_s, 3))) for p in read_frames(path, times)]
    assert judge_detector(eye, pictures, NAMES)['found'] >= .75

def test_what_the_detector_finds_does_not_depend_on_its_neighbours(eye, seen):
    pictures, names = [Picture(None, i) for i, _ in seen[:3]], [list(b)[:3] for _, b in seen[:3]]
    together, alone = eye.detect(pictures, names), [eye.detect([p], [n])[0] for p, n in zip(pictures, names)]
    for a, b in zip(together, alone):
        assert [d.name for d in a] == [d.name for d in b]
        assert all(iou(x.box, y.box) > .99 for x, y in zip(a, b))

def test_labels(seen):
    r = judge_labels(load('matcher', f'local:{weights/"labels"}?device=cpu'), seen, NAMES, seed=3)
    assert r['right'] >= .93, r
