"""Training as a whole: killed and resumed, divided among processes, quantised, and with things that go wrong."""
import dataclasses, errno, json, re, signal, subprocess, sys, time
from dataclasses import asdict, replace
from pathlib import Path
import pytest, torch, transformers
from safetensors.torch import load_file
import tiny
from espresso.reasoner import lora, steps
from espresso.reasoner.inference import answer
from espresso.reasoner.ahead import look
from espresso.reasoner.lessons import lessons
from espresso.reasoner.lora import adapt, checkpoints, plain
from espresso.reasoner.model import Ask, reasoner
from espresso.reasoner.recipe import Settings
from espresso.reasoner.steps import train
from espresso.reasoner.training import course, launch, ledger, two_stages
from espresso.records import BenchmarkItem, Drop, Stop, Video, read_jsonl, read_parquet

transformers.utils.logging.disable_progress_bar()
HERE = Path(__file__).parent
FIXTURES = HERE.parent/'nbs'/'fixtures'
ITEMS = [i for i in read_parquet(FIXTURES/'benchmark', BenchmarkItem) if i.split == 'train']
VIDEOS = read_parquet(FIXTURES/'curation', Video)
QUICK = Settings(rate=5e-3, batch=4, save=2)

@pytest.fixture(scope='module')
def base(tmp_path_factory): return str(tiny.llava(tmp_path_factory.mktemp('base')))

@pytest.fixture(scope='module')
def r(base): return reasoner(base)

def taught(stage=1, **how): return lessons(ITEMS, VIDEOS, FIXTURES/'clips', stage, decimals=0, **how)[0]
def adapter(done): return load_file(done.adapter/'adapter_model.safetensors')
def far(a, b): return max((a[k]-b[k]).abs().max().item() for k in a | b)
def curve(folder): return [l['loss'] for l in read_jsonl(folder/'log.jsonl')]

KILLED = """
import sys, time; sys.path.insert(0, sys.argv[3])
import test_training as t
t.torch.set_num_threads(1)
t.train(t.reasoner(sys.argv[1]), t.taught(), t.replace(t.QUICK, epochs=6), sys.argv[2], watch=lambda line: time.sleep(.2))
"""

def test_frames_that_were_read_serve_other_trainings(r, tmp_path):
    "With a cache the same is learnt, and then even without the videos"
    kept = replace(QUICK, frame_cache=str(tmp_path/'frames'))
    without, first = train(r, taught(), QUICK, tmp_path/'without'), train(r, taught(), kept, tmp_path/'first')
    later = train(r, [replace(l, path='gone.mp4') for l in taught()], kept, tmp_path/'later')
    assert far(adapter(without), adapter(first)) == far(adapter(first), adapter(later)) == 0 and not later.drops
    assert train(r, taught(), QUICK, tmp_path/'first') == first # whoever has done it need not do it again

def test_killed_and_resumed_is_as_if_nothing_had_been(r, base, tmp_path):
    "SIGKILL in the second of six epochs, with dropout and an optimizer that remembers"
    torch.set_num_threads(1)
    s, out = replace(QUICK, epochs=6), tmp_path/'killed'
    whole = train(r, taught(), s, tmp_path/'whole')
    p = subprocess.Popen([sys.executable, '-c', KILLED, base, str(out), str(HERE)])
    while not ((out/'log.jsonl').exists() and len((out/'log.jsonl').read_text().splitlines()) >= 5):
        assert p.poll() is None; time.sleep(.02)
    p.send_signal(signal.SIGKILL); p.wait()
    stands = int(checkpoints(out)[-1].name)
    assert 4 <= stands < 12 and not (out/'adapter').exists()
    with (out/'log.jsonl').open('a') as f: f.write('{"step": 99, "lo') # a line that was being written
    again = train(r, taught(), s, out)
    assert far(adapter(whole), adapter(again)) <= 1e-6 and curve(out) == pytest.approx(curve(tmp_path/'whole'), abs=1e-6) and len(curve(out)) == 12
    assert again.seen == whole.seen and not (out/'checkpoints').exists()
    assert far(adapter(train(r, taught(), replace(s, seed=1), tmp_path/'other')), adapter(whole)) > 1e-3 # it could have been otherwise
    before = (out/'adapter'/'adapter_model.safetensors').stat().st_mtime_ns
    train(r, taught(), s, out) # finished: loaded, not learnt again
    assert (out/'adapter'/'adapter_model.safetensors').stat().st_mtime_ns == before

def test_the_division_of_a_step_does_not_matter(r, tmp_path):
    "Room, packing and checkpointing change neither loss nor adapter"
    s = replace(QUICK, epochs=2, dropout=0.)
    whole = train(r, taught(2, keep=.3), s, tmp_path/'a')
    for name, other in dict(b=replace(s, room=700), c=replace(s, pack=False), d=replace(s, checkpointing=True)).items():
        done = train(r, taught(2, keep=.3), other, tmp_path/name)
        assert curve(tmp_path/name) == pytest.approx(curve(tmp_path/'a'), rel=1e-4) and far(adapter(whole), adapter(done)) < 1e-3, name
    with_dropout = train(r, taught(2, keep=.3), replace(s, dropout=.1), tmp_path/'e')
    again = train(r, taught(2, keep=.3), replace(s, dropout=.1, checkpointing=True), tmp_path/'f')
    assert far(adapter(with_dropout), adapter(again)) < 1e-3 < far(adapter(with_dropout), adapter(whole)) # recomputed with the same dropout

def test_two_processes_give_the_curve_of_one(base, tmp_path):
    s = asdict(replace(QUICK, dropout=0.))
    plan = dict(benchmark=str(FIXTURES/'benchmark'), videos=str(FIXTURES/'curation'), root=str(FIXTURES/'clips'), model=base, load=dict(device='cpu'), first=dict(s, epochs=2), second=s, decimals=0)
    for n in 1, 2: (tmp_path/str(n)).mkdir()
    one = course(out=str(tmp_path/'1'), **plan)
    two = launch(2, dict(plan, out=str(tmp_path/'2')))
    assert one == two and one.rows == len(ITEMS)
    assert [json.loads((tmp_path/n/'adapter'/'training.json').read_text())['processes'] for n in '12'] == [1, 2]
    for stage in 'stage1', 'stage2': assert curve(tmp_path/'2'/stage) == pytest.approx(curve(tmp_path/'1'/stage), abs=1e-4) and len(curve(tmp_path/'1'/stage)) > 1
    last = [load_file(tmp_path/n/'adapter'/'adapter_model.safetensors') for n in '12']
    assert far(*last) < 1e-3
    (tmp_path/'3').mkdir()
    assert launch(2, dict(plan, out=str(tmp_path/'3'), sharded=True)) == one # the base in halves, here on the CPU
    for stage in 'stage1', 'stage2': assert curve(tmp_path/'3'/stage) == pytest.approx(curve(tmp_path/'1'/stage), abs=1e-4)
    with pytest.raises(Stop, match='must be one of evidence, no boxes'): launch(2, dict(plan, out=str(tmp_path/'2'), variant='no evidence'))

@pytest.mark.parametrize('bits', ['4', '8'])
def test_a_quantised_base_trains_and_answers(base, bits, tmp_path):
    q = reasoner(base, bits=bits, device='cpu')
    assert any('bnb' in type(m).__module__ or 'bitsandbytes' in type(m).__module__ for m in q.model.modules())
    done = train(q, taught(), replace(QUICK, epochs=4), tmp_path/'q')
    losses = curve(tmp_path/'q')
    assert losses[-1] < .9*losses[0]
    l = taught()[0]
    ask = Ask(l.question, tuple(look(l)))
    mine = answer(q, [ask], limits=(12, 4))[0]
    loaded = reasoner(base, bits=bits, device='cpu', adapter=str(done.adapter))
    assert mine.evidence_tokens and answer(loaded, [ask], limits=(12, 4))[0].evidence == mine.evidence
    plain(q); assert answer(q, [ask], limits=(12, 4))[0].evidence != mine.evidence

def test_the_loaded_adapter_answers_as_the_trained_model(r, base, tmp_path):
    done, l = train(r, taught(), replace(QUICK, epochs=3), tmp_path/'a'), taught()[0]
    ask = Ask(l.question, tuple(look(l)))
    here = answer(r, [ask], limits=(16, 8))[0]
    for merge in False, True:
        there = answer(reasoner(base, adapter=str(done.adapter), merge=merge), [ask], limits=(16, 8))[0]
        assert (there.evidence, there.answer) == (here.evidence, here.answer)
    with pytest.raises(Stop, match='carries an adapter already'): adapt(reasoner(base, adapter=str(done.adapter)), QUICK)

@pytest.mark.parametrize('kind', ['llava15', 'internvl', 'qwen_vl', 'qwen3_vl', 'smolvlm', 'llava_next_video'])
def test_every_class_learns(kind, tmp_path):
    m = reasoner(str(getattr(tiny, kind)(tmp_path/'m')))
    done = train(m, taught()[:4], replace(QUICK, epochs=6, checkpointing=kind == 'qwen_vl'), tmp_path/'out')
    assert len(done.seen) == 4 and curve(tmp_path/'out')[-1] < .9*curve(tmp_path/'out')[0]

def test_two_stages_and_evidence_of_its_own(base, tmp_path):
    "The second stage goes on with the first one's adapter, and reads what the first one wrote"
    loaded = []
    def load(): loaded.append(reasoner(base)); return loaded[-1]
    s = replace(QUICK, epochs=1)
    done = two_stages(load, ITEMS, VIDEOS, FIXTURES/'clips', tmp_path, s, s, own=.5, decimals=0, evidence_limit=12, facts=dict(model=base))
    wrote = read_jsonl(next(tmp_path.glob('evidence-*.jsonl')))
    assert 0 < len(wrote) < len(ITEMS) and done.drops == [] and len(done.seen) == len(ITEMS) and len(loaded) == 1
    told = json.loads((done.adapter/'training.json').read_text())
    assert (told['variant'], told['decimals'], told['own'], told['stage'], told['model']) == ('evidence', 0, .5, 2, base) and '@' in told['base']
    assert json.loads((done.adapter/'adapter_config.json').read_text())['base_model_name_or_path'] == base
    first, last = load_file(tmp_path/'stage1'/'adapter'/'adapter_model.safetensors'), adapter(done)
    assert first.keys() == last.keys() and far(first, last) > 0
    only = two_stages(load, ITEMS, VIDEOS, FIXTURES/'clips', tmp_path/'only', s, s, variant='answer only')
    assert not (tmp_path/'only'/'stage2').exists() and only.adapter.exists()

def test_the_ledger_balances(r, tmp_path):
    "A missing video, a box outside, lessons too long, and an epoch that ends early"
    e = ITEMS[0].evidence
    bad = dataclasses.replace(ITEMS[0], evidence=dataclasses.replace(e, items=(dataclasses.replace(e.items[0], box=(0., 0., 2., 1.)),)))
    items, gone = [bad, *ITEMS[1:]], [replace(v, path='gone.mp4') if v.id == VIDEOS[-1].id else v for v in VIDEOS]
    s = replace(QUICK, batch=2, limit=900)
    done = two_stages(lambda: r, items, gone, FIXTURES/'clips', tmp_path/'a', s, s, decimals=2)
    counts = ledger(items, done, tmp_path/'a')
    assert counts.units == len(ITEMS) == counts.used + counts.unit_drops.total() and counts.used == counts.rows == len(done.seen) > 0
    reasons = counts.of('quarantined') | counts.of('dropped')
    assert reasons['ValueError'] == 1 and any('NotFound' in k or 'Error' in k for k in reasons if k != 'ValueError')
    assert {d.row_id for d in read_parquet(tmp_path/'a'/'drops', Drop)} & set(done.seen) == set()
    half = two_stages(lambda: r, ITEMS, VIDEOS, FIXTURES/'clips', tmp_path/'b', replace(s, epochs=.5, limit=6144), replace(s, epochs=.5, limit=6144))
    assert ledger(ITEMS, half, tmp_path/'b').of('dropped') == {'not reached': len(ITEMS)//2}
    plain(r)

def test_a_loss_that_is_no_number(r, tmp_path, monkeypatch):
    "The lessons are named, the weights have not moved, and the training can go on"
    s, usual = replace(QUICK, epochs=2), steps.losses
    poisoned = taught()[3].id
    def poison(model, batch):
        found = usual(model, batch)
        return found*torch.tensor([float('nan') if i == poisoned and hit() else 1. for i in batch.ids])
    times = []
    def hit(): times.append(1); return len(times) == 2
    monkeypatch.setattr(steps, 'losses', poison)
    with pytest.raises(Stop, match=f'the loss is not a number, at the lessons {poisoned}'): train(r, taught(), s, tmp_path/'a')
    assert all(v.isfinite().all() for v in load_file(checkpoints(tmp_path/'a')[-1]/'adapter_model.safetensors').values())
    monkeypatch.setattr(steps, 'losses', usual)
    assert far(adapter(train(r, taught(), s, tmp_path/'a')), adapter(train(r, taught(), s, tmp_path/'b'))) <= 1e-6

def test_one_bad_sample_of_a_row_is_told_from_its_neighbours(r, tmp_path, monkeypatch):
    "Its pictures are no numbers, and three share the row"
    usual, poisoned = steps.prepare, taught()[1].id
    def prepare(r, lesson, *a):
        made = usual(r, lesson, *a)
        if lesson.id == poisoned: made.pictures['pixel_values'] = made.pictures['pixel_values']*float('nan')
        return made
    monkeypatch.setattr(steps, 'prepare', prepare)
    monkeypatch.setattr(steps, 'parts', lambda samples, *a: [[samples]])
    with pytest.raises(Stop, match=f'the loss is not a number, at the lessons {poisoned}\\. The adapter'): train(r, taught()[:3], QUICK, tmp_path/'row')
    monkeypatch.setattr(steps, 'prepare', usual)
    monkeypatch.setattr(torch.nn.utils, 'clip_grad_norm_', lambda *a: torch.tensor(float('inf')))
    with pytest.raises(Stop, match='the gradient is not a number, at one of the lessons ' + ', '.join('[0-9a-f]+' for _ in range(3)) + r'\.'): train(r, taught()[:3], QUICK, tmp_path/'gradient')

def test_evidence_of_its_own_is_written_again_where_it_has_to(base, tmp_path):
    "With another limit, and after a line that was cut"
    def load(): return reasoner(base)
    s, how = replace(QUICK, epochs=1), dict(own=1., decimals=0, facts=dict(model=base))
    def wrote(limit): two_stages(load, ITEMS, VIDEOS, FIXTURES/'clips', tmp_path, s, s, evidence_limit=limit, **how); return {l['id']: l['evidence'] for l in read_jsonl(next(tmp_path.glob(f'evidence-*-{limit}-0.jsonl')))}
    short, file = wrote(3), next(tmp_path.glob('evidence-*.jsonl'))
    assert len(short) == len(ITEMS) and max(map(len, wrote(9).values())) > max(map(len, short.values()))
    file.write_text(file.read_text()[:-20])
    assert wrote(3) == short

def test_the_first_cause_is_told(r, tmp_path):
    "A box outside the frame is no lack of evidence"
    e = ITEMS[0].evidence
    bad = dataclasses.replace(ITEMS[0], evidence=dataclasses.replace(e, items=(dataclasses.replace(e.items[0], box=(0., 0., 2., 1.)),)))
    gone = [replace(v, path='gone.mp4') if v.id == VIDEOS[-1].id else v for v in VIDEOS]
    done = two_stages(lambda: r, [bad, *ITEMS[1:]], gone, FIXTURES/'clips', tmp_path, QUICK, QUICK, own=1., decimals=2, evidence_limit=2)
    plain(r)
    assert {d.reason for d in done.drops} == {'ValueError', 'VideoError'} and ledger(ITEMS, done, tmp_path).rows == len(done.seen)

def test_a_training_of_another_version_is_told(r, tmp_path, monkeypatch):
    train(r, taught()[:4], QUICK, tmp_path)
    monkeypatch.setattr(steps, 'code_digest', lambda: 'another')
    with pytest.warns(UserWarning, match='another version of this package'): train(r, taught()[:4], QUICK, tmp_path)
    plain(r)

@pytest.mark.parametrize('wrong', [dict(batch=0), dict(save=0), dict(epochs=0.), dict(rate=float('nan')), dict(dropout=1.), dict(workers=0)])
def test_numbers_that_cannot_be(wrong):
    with pytest.raises(Stop, match=f'a training with {next(iter(wrong))}='): Settings(**wrong)

def test_no_disk_for_a_checkpoint(r, tmp_path, monkeypatch):
    usual, calls = lora.save_file, []
    def full(*a, **k):
        calls.append(1)
        if len(calls) > 3: raise OSError(errno.ENOSPC, 'No space left on device')
        return usual(*a, **k)
    monkeypatch.setattr(lora, 'save_file', full)
    with pytest.raises(Stop, match='the disk is full, 00000004 could not be written'): train(r, taught(), replace(QUICK, epochs=4), tmp_path)
    assert [p.name for p in checkpoints(tmp_path)] == ['00000002'] and [p.name for p in (tmp_path/'checkpoints').iterdir()] == ['00000002']
    assert load_file(checkpoints(tmp_path)[0]/'optimizer.safetensors')

def test_out_of_memory_says_what_would_fit(r, base, tmp_path, monkeypatch):
    "What is advised takes less than what did not fit, and the training goes on with it"
    usual, held = steps.losses, []
    def too_much(model, batch):
        held.append(batch.inputs['input_ids'].numel())
        if held[-1] > 1100 and len(held) > 3: raise torch.OutOfMemoryError('CUDA out of memory')
        return usual(model, batch)
    monkeypatch.setattr(steps, 'losses', too_much)
    s = replace(QUICK, epochs=3)
    with pytest.raises(Stop, match=r'step 4 does not fit into memory; what would fit: room=\d+ tokens.*checkpointing=True, bits=4') as told: train(r, taught(), s, tmp_path)
    less = int(re.search(r'room=(\d+)', str(told.value))[1])
    assert less < held[-1] and [p.name for p in checkpoints(tmp_path)] == ['00000003']
    held[:] = 4*[0]
    assert train(r, taught(), replace(s, room=less, checkpointing=True), tmp_path).seen and max(held) <= 1100
    assert [l['step'] for l in read_jsonl(tmp_path/'log.jsonl')] == [1, 2, 3, 4, 5, 6]
    monkeypatch.setattr(steps, 'losses', lambda *a: (_ for _ in ()).throw(MemoryError()))
    q = reasoner(base, bits='4', device='cpu')
    with pytest.raises(Stop, match=r'what would fit: limit=\d+ tokens of a lesson \(the longest here has \d+\), or a smaller model'): train(q, taught()[:1], replace(QUICK, checkpointing=True), tmp_path/'q')

def test_an_adapter_that_does_not_fit(r, tmp_path):
    done = train(r, taught()[:4], QUICK, tmp_path/'a')
    with pytest.raises(Stop, match='does not fit'): train(r, taught()[:4], replace(QUICK, rank=4), tmp_path/'b', start=done.adapter)
    plain(r)
    for kind in 'internvl', 'qwen3_vl': # their matrices have the same names and shapes
        with pytest.raises(Stop, match='does not fit .*it was made for LlavaForConditionalGeneration'): reasoner(str(getattr(tiny, kind)(tmp_path/kind)), adapter=str(done.adapter))
