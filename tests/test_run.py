"""The chain as a person meets it: one command, a killed run, wrong settings."""
import json, os, random, signal, subprocess, sys, time
from functools import partial
from pathlib import Path
import pytest
from conftest import DATASET, SMALL, data, espresso
from espresso import runs
from espresso.recording import held, recording
from espresso.records import BenchmarkItem, Caption, Drop, Evidence, QAPair, Stop, Video, read_parquet

ROWS = dict(curation=Video, captions=Caption, dedup=Caption, qa=QAPair, cot=Evidence, benchmark=BenchmarkItem)

def test_totals_balance_through_the_chain(run):
    out, text = run
    records = {s.name: json.loads((out/s.name/'run.json').read_text()) for s in DATASET}
    for name, cls in ROWS.items():
        c = records[name]['counts']
        rows, drops = read_parquet(out/name, cls), read_parquet(out/name/'drops', Drop)
        assert len(rows) == c['rows'], name
        assert len(drops) == sum(c['dropped'].values()) + sum(c['quarantined'].values()), name
        assert c['made'] >= c['rows'] and c['units'] >= c['used'], name
    assert records['benchmark']['counts']['rows'] > 20
    assert [l.split()[0] for l in text.split('stage ')[1].splitlines()[2:2+len(DATASET)]] == [s.name for s in DATASET]

def test_every_question_needs_two_frames_and_no_video_is_in_both_splits(run):
    items = read_parquet(run[0]/'benchmark', BenchmarkItem)
    assert all(len({c.frame.index for c in i.evidence.qa.cited}) >= 2 for i in items)
    sides = {}
    for i in items: sides.setdefault(i.evidence.qa.group.video_id, set()).add(i.split)
    assert all(len(s) == 1 for s in sides.values())

def test_a_second_run_does_nothing(run):
    before = data(run[0])
    start = time.time()
    r = espresso('run', '--out', run[0], *SMALL)
    assert r.returncode == 0 and r.stdout.count('done before') == len(DATASET), r.stdout + r.stderr
    assert data(run[0]) == before

def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(run, tmp_path):
    out, rng = tmp_path/'killed', random.Random(20)
    command = [sys.executable, '-c', 'import sys; from espresso.cli import main; sys.exit(main())', 'run', '--out', str(out), *SMALL]
    for seconds in rng.uniform(2, 6), rng.uniform(8, 16), rng.uniform(10, 20):
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        p.send_signal(signal.SIGKILL); p.wait()
    r = subprocess.run(command, capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    assert data(out) == data(run[0])

def test_only_one_stage_with_another_parameter(run, tmp_path):
    import shutil
    out = tmp_path/'copy'
    shutil.copytree(run[0], out)
    kept = len(read_parquet(out/'dedup', Caption))
    r = espresso('run', '--out', out, '--only', 'dedup', '-p', 'tau', '0.5', *SMALL)
    assert r.returncode == 0, r.stdout + r.stderr
    assert 0 < len(read_parquet(out/'dedup', Caption)) < kept

@pytest.mark.parametrize('args, sentence', [
    (['--profile', 'nanno'], "there is no profile 'nanno'; did you mean 'nano'?"),
    (['-p', 'tua', '0.5'], "no stage has a parameter to set named 'tua'; did you mean 'tau'?"),
    (['-p', 'tau', 'high'], "tau must be of type float, got 'high'"),
    (['--only', 'dedupe'], "there is no stage 'dedupe'; did you mean 'dedup'?"),
    (['--videos', 'no/such/folder'], 'there is no folder or manifest'),
    (['--until', 'exchnage'], "there is no stage 'exchnage'; did you mean 'exchange'?"),
    (['-p', 'captioner', 'ofline'], "there is no backend 'ofline'"),
    (['-p', 'reasoner', '/no/such/base'], "the model '/no/such/base' is no folder here and no name of the hub"),
])
def test_wrong_settings_stop_before_any_work(args, sentence, tmp_path):
    r = espresso('run', '--out', tmp_path/'out', *([] if 'reasoner' in args else ['--until', 'exchange']), *args)
    assert r.returncode == 2 and sentence in r.stderr, r.stdout + r.stderr
    assert 'Traceback' not in r.stderr and not list((tmp_path/'out').rglob('*.parquet'))

def test_a_folder_without_videos(tmp_path):
    (tmp_path/'empty').mkdir()
    r = espresso('run', '--out', tmp_path/'out', '--videos', tmp_path/'empty', '--until', 'exchange')
    assert r.returncode == 2 and 'empty' in r.stderr and 'Traceback' not in r.stderr, r.stderr

def test_a_run_inside_the_folder_of_videos_is_refused(tmp_path):
    (tmp_path/'clip.mp4').write_bytes(b'no video')
    r = espresso('run', '--out', tmp_path/'out', '--videos', tmp_path, '--until', 'exchange')
    assert r.returncode == 2 and 'inside the folder of videos' in r.stderr and not (tmp_path/'out').exists()

def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with recording('demo', tmp_path):
        r = subprocess.run([sys.executable, '-c', f'from espresso.recording import held\nwith held({str(tmp_path)!r}, patience=1): pass'], capture_output=True, text=True)
    assert f'{tmp_path} is in use by another run' in r.stderr

def test_what_another_run_works_on_is_neither_forgotten_nor_completed(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, 'held', partial(held, patience=0))
    mark, record = tmp_path/'marks'/'00000.json', tmp_path/'run.json'
    mark.parent.mkdir(); mark.write_text('{}'); record.write_text('{"notes": {}}')
    with held(tmp_path):
        for work in lambda: runs._begin(tmp_path, {'its notebook': 'a', 'its models': {}}), lambda: runs._complete(record, given={}):
            with pytest.raises(Stop, match='in use by another run'): work()
        assert mark.exists() and not (tmp_path/'given.json').exists() and record.read_text() == '{"notes": {}}'
    assert runs._complete(record, given={'fps': 2})['notes'] == json.loads(record.read_text())['notes'] == {'given': {'fps': 2}}
