"""A selector in front of a reasoner: in a trial, killed and gone on with, and for one question."""
import json
from pathlib import Path
import pytest
from espresso.cli import main
from espresso.reasoner.worldset import truth_of, world_items
from espresso.dataset.exchange import write_records
from espresso.records import Prediction, Video, read_parquet
from espresso.selector import chooser as chooser_room

fixtures = Path(__file__).parent.parent/'nbs'/'fixtures'
CLIPS, NANO = fixtures/'clips', 'hf:nano/base?limit=3'

@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    "Three questions about each of two clips, as a published test file"
    films = {v.id: v for v in read_parquet(fixtures/'curation', Video)}
    items = [i for v in list(films.values())[:2] for i in world_items(v, truth_of(v, CLIPS) | dict(split='test'))[:3]]
    path = tmp_path_factory.mktemp('bench')/'test.json'
    write_records(path, items, films)
    return path

def tried(model, bench, out, *more): return main(['eval', model, str(bench), '--videos', str(CLIPS), '--out', str(out), '--conditions', '', *more])
def result(out): return json.loads((out/'result.json').read_text())
def frames(out):
    return {p.question: [f.time_s for f in p.frames] for p in read_parquet(out/'answers.parquet', Prediction)}

OURS = 'ours:frames=3?fps=2&captioner=truth'

def test_a_hybrid_is_that_selector_before_that_reasoner(bench, tmp_path, capsys):
    assert tried(f'hybrid:{OURS}+{NANO}', bench, tmp_path/'a') == 0
    text = capsys.readouterr().out
    assert tried(NANO, bench, tmp_path/'b', '--frames', f'select:{OURS}') == 0
    a, b = result(tmp_path/'a'), result(tmp_path/'b')
    assert frames(tmp_path/'a') == frames(tmp_path/'b') and a['cost'] == b['cost'] and a['objective'] == b['objective']
    assert a['model'] == f'{OURS}+{b["model"]}' and a['plan']['frames'] == f'select:{OURS}'
    s = a['cost']['selector']
    assert s['questions'] == 6 and s['flops'] > 0 and s['captioned'] > 0 and s['amortised']['2']['flops'] < s['amortised']['1']['flops'] and s['amortised']['1']['videos'] == 2
    assert 'frames of 6 questions chosen' in text and 'choosing frames took' in text
    assert set(map(len, frames(tmp_path/'a').values())) == {3}

def test_chosen_once_and_the_same_after_a_kill(bench, tmp_path, monkeypatch, capsys):
    command, select, left = [f'hybrid:{OURS}+{NANO}', bench], chooser_room.select, [4]
    assert tried(*command, tmp_path/'whole') == 0
    def stops(*a, **k):
        left[0] -= 1
        if left[0] < 0: raise KeyboardInterrupt
        return select(*a, **k)
    monkeypatch.setattr(chooser_room, 'select', stops) # in the middle of the second video
    assert tried(*command, tmp_path/'broken') == 130
    monkeypatch.setattr(chooser_room, 'select', select)
    assert tried(*command, tmp_path/'broken') == 0
    assert (tmp_path/'broken'/'result.json').read_bytes() == (tmp_path/'whole'/'result.json').read_bytes()
    monkeypatch.setattr(chooser_room, 'Index', lambda *a, **k: pytest.fail('a video was looked at again'))
    assert tried(*command, tmp_path/'whole') == 0
    assert (tmp_path/'broken'/'result.json').read_bytes() == (tmp_path/'whole'/'result.json').read_bytes()

def test_another_model_chooses_anew(bench, tmp_path, monkeypatch):
    command = [f'hybrid:{OURS}+{NANO}', bench, tmp_path/'t']
    assert tried(*command) == 0
    looked, index = [], chooser_room.Index
    monkeypatch.setattr(chooser_room, 'Index', lambda *a, **k: looked.append(a) or index(*a, **k))
    assert tried(*command[:2], tmp_path/'t') == 0 and not looked
    assert tried(f'hybrid:{OURS.replace("=3", "=2")}+{NANO}', bench, tmp_path/'t') == 0 and len(looked) == 2
    assert tried(f'hybrid:{OURS.replace("truth", "offline")}+{NANO}', bench, tmp_path/'t') == 0 and len(looked) == 4

@pytest.mark.parametrize('model,more,words', [
    ('hybrid:ours', (), 'write hybrid:SELECTOR+REASONER'), ('hybrid:best:frames=4+hf:nano/base', (), 'names no strategy'), ('hybrid:ours+hf:nano/base', ('--frames', 'uniform:8'), 'leave --frames'),
    (NANO, ('--frames', 'select:ours:frames=no'), 'cannot be read'), (NANO, ('--frames', 'select:ours?view=x'), "no 'view'"), (NANO, ('--frames', 'select:ours?captioner=best'), 'there is no backend'),
    (NANO, ('--frames', 'select:bolt:frames=2'), 'needs a viewer'), (NANO, ('--frames', 'all'), 'select:ours:frames=4')])
def test_wrong_words_are_one_sentence(bench, tmp_path, capsys, model, more, words):
    assert tried(model, bench, tmp_path/'t', *more) == 2
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert err.startswith('espresso: ') and words in err and not (tmp_path/'t'/'result.json').exists()

def test_ask_with_a_selector(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path/'settings.ini').write_text('[paths]\noutputs = runs\n[run]\nprofile = nano\nkernel = python3\n')
    command = ['ask', str(CLIPS/'world-000.mp4'), 'When is the car waiting?', '--model', 'nano/base', '--direct', '--select', 'ours?captioner=truth', '--budget', 'frames=2']
    assert main(command) == 0
    said = capsys.readouterr()
    assert '2 frames, ' in said.out and 'ours chose ' in said.err and ' 0 described' not in said.err
    assert main(command) == 0 and ' 0 described' in capsys.readouterr().err # what is known of the video stays
    assert main([*command, '--frames', '3']) == 2 and 'leave --frames out' in capsys.readouterr().err
    assert main([*command[:-2], '--times', '1']) == 2 and 'leave --times out' in capsys.readouterr().err
