"""From the dataset on: training, answers, scores; and what a bad video or a killed run takes along."""
import json, shutil
from dataclasses import replace
from pathlib import Path
import pytest
import tiny
from conftest import DATASET, espresso
from espresso.evaluation.objective import Vectors, score
from espresso.contracts import load
from espresso.reasoner.answers import answering
from espresso.reasoner.model import reasoner
from espresso.recording import recording
from espresso.records import BenchmarkItem, Drop, Prediction, Score, Video, read_parquet
from espresso.runs import STAGES

fixtures = Path(__file__).parent.parent/'nbs'/'fixtures'

@pytest.fixture(scope='module')
def base(tmp_path_factory): return tiny.llava(tmp_path_factory.mktemp('base')/'tiny')

@pytest.fixture(scope='module')
def whole(run, base, tmp_path_factory):
    "The dataset of the shared run, gone on with: folder, command, what was said"
    out = tmp_path_factory.mktemp('whole')/'run'
    shutil.copytree(run[0], out)
    command = ['run', '--out', out, '-p', 'world_clips', 6, '-p', 'world_seed', 1, '-p', 'test_share', 0.3, '-p', 'reasoner', base, '-p', 'epochs', 1, '-p', 'evidence_limit', 8, '-p', 'answer_limit', 4]
    r = espresso(*command)
    assert r.returncode == 0, r.stdout + r.stderr
    return out, command, r.stdout

def without_time(out): return [replace(p, seconds=0.) for p in read_parquet(out/'answers', Prediction)]

def test_the_chain_goes_on_from_the_dataset(whole):
    out, _, text = whole
    assert text.count('done before') == len(DATASET)
    asked = {i.id for i in read_parquet(out/'benchmark', BenchmarkItem) if i.split == 'test'}
    said, scores = read_parquet(out/'answers', Prediction), read_parquet(out/'score', Score)
    assert len(asked) > 5 and {p.id for p in said} == asked == {s.id for s in scores}
    assert all('adapter=' in p.model and p.evidence_tokens <= 8 and p.answer_tokens <= 4 for p in said)
    notes = json.loads((out/'score'/'run.json').read_text())['notes']
    assert notes['accuracy'][0]['n'] == len(asked) == sum(l['n'] for l in notes['accuracy'][1:])
    table = (out/'table.txt').read_text()
    assert 'Algorithm 1' in table and 'copy the question' in table and table in text

def test_a_second_run_does_nothing(whole):
    out, command, _ = whole
    r = espresso(*command)
    assert r.returncode == 0 and r.stdout.count('done before') == len(STAGES), r.stdout + r.stderr
    assert 'Algorithm 1' in r.stdout

def test_answers_that_were_broken_off_are_the_same(whole, tmp_path):
    out, command, _ = whole
    before = without_time(out)
    shutil.copytree(out, tmp_path/'run')
    mine = tmp_path/'run'/'answers'
    for f in mine/'run.json', mine/'marks'/'00000.json', mine/'part-00000.parquet': f.unlink()
    command = [tmp_path/'run' if c == out else c for c in command]
    r = espresso(*command)
    assert r.returncode == 0, r.stdout + r.stderr
    assert without_time(tmp_path/'run') == before

def test_a_broken_video_takes_only_its_own_questions_along(base, tmp_path):
    shutil.copytree(fixtures/'clips', tmp_path/'clips')
    items, videos = read_parquet(fixtures/'benchmark', BenchmarkItem), {v.id: v for v in read_parquet(fixtures/'curation', Video)}
    broken = items[0].evidence.qa.group.video_id
    (tmp_path/'clips'/videos[broken].path).write_bytes(b'no video')
    fn = answering(reasoner(str(base)), videos, tmp_path/'clips', limits=(4, 4), batch=4)
    with recording('answers', tmp_path/'out') as r: counts = r.map(fn, items, Prediction, workers=2, together=4)
    lost = {i.id for i in items if i.evidence.qa.group.video_id == broken}
    assert 0 < len(lost) < len(items) == counts.units
    assert {p.id for p in read_parquet(tmp_path/'out', Prediction)} == {i.id for i in items} - lost
    drops = read_parquet(tmp_path/'out'/'drops', Drop)
    assert {d.row_id for d in drops} == lost and {d.kind for d in drops} == {'quarantined'} and videos[broken].path in drops[0].detail

def test_an_answer_to_an_unknown_question_is_quarantined_alone(tmp_path):
    items = {i.id: i for i in read_parquet(fixtures/'benchmark', BenchmarkItem) if i.split == 'test'}
    good = [Prediction(i.id, i.evidence.qa.question, 'm', (), '', False, i.evidence.qa.answer, '', 0, 0, 0, 0., 0.) for i in items.values()]
    vectors = Vectors(load('embedder', 'offline'))
    with recording('score', tmp_path) as r: r.map(lambda some: score(items, some, vectors), [replace(good[0], id='unknown'), *good], Score, workers=1, together=64)
    assert all(s.right and s.exact for s in read_parquet(tmp_path, Score)) and r.counts.rows == len(good)
    assert [(d.row_id, 'knows no question' in d.detail) for d in read_parquet(tmp_path/'drops', Drop)] == [('unknown', True)]
