"""Lessons for every class of model: what is learnt is what inference reads and writes, and bad samples are told, not replaced."""
import dataclasses
from pathlib import Path
import numpy as np, pytest, torch, transformers
import tiny
from espresso.dataset.markup import parse_markup, plain
from espresso.reasoner import inference
from espresso.reasoner.ahead import ahead, look, prepare
from espresso.reasoner.lessons import Lesson, TooLong, Turn, encode, evidence_text, lesson, lessons
from espresso.reasoner.model import ANSWER, EVIDENCE, Ask, reasoner
from espresso.reasoner.packing import join, losses, packs, parts
from espresso.records import BenchmarkItem, Drop, Frame, Video, read_parquet
from espresso.video import Picture

transformers.utils.logging.disable_progress_bar()
CLASSES = ['llava', 'llava15', 'internvl', 'qwen2_vl', 'qwen_vl', 'qwen3_vl', 'smolvlm', 'llava_next_video']
FIXTURES = Path(__file__).parent.parent/'nbs'/'fixtures'
ITEMS = [i for i in read_parquet(FIXTURES/'benchmark', BenchmarkItem) if i.split == 'train']
VIDEOS = read_parquet(FIXTURES/'curation', Video)

@pytest.fixture(scope='module', params=CLASSES)
def model(request, tmp_path_factory):
    return reasoner(str(getattr(tiny, request.param)(tmp_path_factory.mktemp(request.param))))

def sample(r, k, size=(48, 64), keep=.5, limit=6144):
    rng, frames = np.random.default_rng(k), tuple(Frame('v', 30*t, float(t)) for t in range(1 + k%3))
    l = Lesson(f's{k}', '', frames, 'Why does the red car wait?'*(1 + k%2), (Turn(EVIDENCE, 'The <obj_start>light<obj_end><box_start>[[50, 62, 20, 10]]<box_end> is red. '*(1 + k%2), keep), Turn(ANSWER, f'It waits at {k}.', 1.)))
    return encode(r, l, [Picture(f, rng.integers(0, 255, (*size, 3), np.uint8)) for f in frames], limit), l

def test_what_is_learnt_is_what_inference_reads(model, monkeypatch):
    "The tokens of a lesson are those that one prefill, the evidence, the bridge and the answer make"
    x, l = sample(model, 2)
    seen, rng = [], np.random.default_rng(2)
    read = inference.Memory.read
    monkeypatch.setattr(inference.Memory, 'read', lambda self, ids, mask, **pictures: (seen.extend(ids[0].tolist()), read(self, ids, mask, **pictures))[1])
    pictures = tuple(Picture(f, rng.integers(0, 255, (48, 64, 3), np.uint8)) for f in l.frames)
    inference.answer(model, [Ask(l.question, pictures, l.turns[0].reply)], limits=(1, 1))
    assert x.ids[:len(seen)] == seen
    assert x.ids[len(seen):] == model.tokenizer(l.turns[1].reply, add_special_tokens=False)['input_ids']

def test_only_replies_count_and_their_ends(model):
    x, l = sample(model, 1)
    for turn, weight in zip(l.turns, (.5, 1.)):
        due = [t for t, w in zip(x.targets, x.weights) if w == weight]
        assert due[-1] in model.ends and model.tokenizer.decode(due[:-1]) == turn.reply
    assert model.processor.image_token_id not in [t for t, w in zip(x.targets, x.weights) if w]
    silent, _ = sample(model, 1, keep=0.)
    assert silent.ids == x.ids and sum(silent.weights) == sum(w == 1. for w in x.weights)

def test_packed_padded_and_alone_are_the_same(model):
    "No token sees another sample, in any class, with pictures of one size and of two"
    samples = [sample(model, k, (48, 64) if k < 4 else (60, 40))[0] for k in range(6)]
    with torch.inference_mode():
        alone = {s.id: losses(model.model, join([[s]], model.pad)).item() for s in samples}
        for made in parts(samples, 3000, False), parts(samples, 3000), [[samples]], [[samples[:4], samples[4:]]]:
            made = [join(p, model.pad) for p in made]
            found = {i: v for b in made for i, v in zip(b.ids, losses(model.model, b).tolist())}
            assert found == pytest.approx(alone, rel=1e-5)

def test_eager_attention_does_not_leak_either(tmp_path):
    r = reasoner(str(tiny.llava(tmp_path/'m')))
    samples = [sample(r, k)[0] for k in range(4)]
    with torch.inference_mode():
        sdpa = losses(r.model, join([samples], r.pad)).tolist()
        r.model.set_attn_implementation('eager')
        assert losses(r.model, join([samples], r.pad)).tolist() == pytest.approx(sdpa, rel=1e-5)

def test_too_long(model):
    "Frames go from the end, no more than needed; question and replies stay whole"
    x, l = sample(model, 2)
    short, _ = sample(model, 2, limit=len(x.ids)-1)
    assert [f.index for f in short.left] == [60] and len(short.ids) < len(x.ids)
    assert [t for t, w in zip(short.targets, short.weights) if w] == [t for t, w in zip(x.targets, x.weights) if w]
    assert l.question in model.tokenizer.decode(short.ids)
    with pytest.raises(TooLong, match='a single frame'): sample(model, 2, limit=60)

def test_bad_samples_are_told_and_not_replaced(tmp_path):
    r = reasoner(str(tiny.llava(tmp_path/'m')))
    good = lessons(ITEMS, VIDEOS, FIXTURES/'clips', 1)[0][0]
    (tmp_path/'broken.mp4').write_bytes(b'not a video')
    bad = [dataclasses.replace(good, path=str(tmp_path/'gone.mp4')), dataclasses.replace(good, path=str(tmp_path/'broken.mp4')),
           dataclasses.replace(good, frames=(Frame('v', 10**6, 1e5),)), dataclasses.replace(good, turns=(Turn(EVIDENCE, '', 1.),)), dataclasses.replace(good, question='What is <image>?')]
    told = [prepare(r, l) for l in bad]
    assert [type(t) for t in told] == [Drop]*5 and {t.kind for t in told} == {'quarantined'} and all(t.row_id == good.id and t.detail for t in told)
    assert 'no frame 1000000' in told[2].detail
    item = dataclasses.replace(ITEMS[0], evidence=dataclasses.replace(ITEMS[0].evidence, core=()))
    unknown = dataclasses.replace(ITEMS[1], evidence=dataclasses.replace(ITEMS[1].evidence, qa=dataclasses.replace(ITEMS[1].evidence.qa, group=dataclasses.replace(ITEMS[1].evidence.qa.group, video_id='?'))))
    made, drops = lessons([item, unknown, *ITEMS[2:]], VIDEOS, FIXTURES/'clips', 1)
    assert len(made) == len(ITEMS)-2 and [d.row_id for d in drops] == [ITEMS[0].id, ITEMS[1].id] and 'core frames' in drops[0].detail

def test_frames_are_those_of_the_row():
    for l in lessons(ITEMS, VIDEOS, FIXTURES/'clips', 1)[0]: assert tuple(p.frame for p in look(l)) == l.frames

@pytest.mark.parametrize('decimals', [0, 1, 2])
def test_boxes_have_the_decimals_asked_for(decimals):
    text = evidence_text(ITEMS[0].evidence, decimals=decimals)
    raw = ' '.join(m.raw for m in parse_markup(text) if not isinstance(m, str))
    assert plain(text) == ITEMS[0].evidence.text and ('.' in raw) == (decimals > 0)
    assert all(len(n.partition('.')[2]) <= decimals for n in raw.replace('[', ' ').replace(']', ' ').replace(',', ' ').split())

def test_ahead_keeps_order_and_bound():
    import threading, time
    begun, gate = [], threading.Event()
    def slow(k):
        begun.append(k)
        if k == 0: gate.wait(5)
        return k
    made = ahead(slow, range(100), 3, 10)
    threading.Timer(.2, gate.set).start()
    assert next(made) == 0 and len(begun) <= 10
    assert list(made) == list(range(1, 100))

def test_packs_is_complete_and_tight():
    rng = np.random.default_rng(0)
    for _ in range(50):
        lengths = rng.integers(1, 1200, rng.integers(1, 60)).tolist()
        rows = packs(lengths, 1000)
        assert sorted(n for r in rows for n in r) == list(range(len(lengths)))
        assert all(sum(lengths[n] for n in r) <= 1000 or len(r) == 1 for r in rows)
        fewest = -(-sum(min(n, 1000) for n in lengths)//1000)
        assert len(rows) <= 11/9*max(fewest, sum(n > 500 for n in lengths)) + 1
        assert packs(lengths, 1000) == rows
