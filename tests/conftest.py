"""A small run of the dataset's stages on the sample world, shared by all tests that look at one."""
import os, subprocess, sys
from pathlib import Path
import pytest
from filelock import FileLock
from espresso.runs import chosen

DATASET = chosen(until='exchange') # the stages that make the dataset, before anything is trained
SMALL = ['-p', 'world_clips', '6', '-p', 'world_seed', '1', '-p', 'test_share', '0.3', '--until', 'exchange'] # six clips, two of them for testing, with more than five questions

def espresso(*args, **kwargs):
    "The command line in a process of its own"
    command = [sys.executable, '-c', 'import sys; from espresso.cli import main; sys.exit(main())', *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, **kwargs)

def data(out):
    "Every file of data in a run: all but notebooks, records of time, the engine's marks and the store"
    skip = {'run.json', 'table.txt', 'progress.json', '.lock'}
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(Path(out).rglob('*'))
            if p.is_file() and p.name not in skip and p.parent.name != 'marks' and p.suffix not in ('.ipynb',) and not p.name.startswith('store.sqlite')}

LONG = 'test_run_server', 'test_training', 'test_run', 'test_answers', 'test_report', 'test_wheel', 'test_grids' # minutes each; the second needs no `run`, which the first makes

def pytest_collection_modifyitems(items):
    "Long files first, so that two processes end together"
    items.sort(key=lambda i: LONG.index(i.path.stem) if i.path.stem in LONG else len(LONG))

@pytest.fixture(scope='session')
def run(tmp_path_factory):
    "A finished dataset and what was said; made once for all processes, so look at it and copy it, but leave it as it is"
    home = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ: home = home.parent
    out, said = home/'run'/'small', home/'run.txt'
    with FileLock(home/'run.lock'):
        if not said.exists():
            r = espresso('run', '--out', out, *SMALL)
            assert r.returncode == 0, r.stdout + r.stderr
            said.write_text(r.stdout)
    return out, said.read_text()
