"""A built wheel, unpacked far from the checkout, carries the notebooks and runs them."""
import os, subprocess, sys, zipfile
from pathlib import Path
import pytest

root = Path(__file__).parent.parent

def test_the_wheel_runs_elsewhere(tmp_path):
    build = subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '-w', str(tmp_path/'dist'), str(root)], capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    wheel, = (tmp_path/'dist').glob('*.whl')
    names = zipfile.ZipFile(wheel).namelist()
    assert 'espresso/nbs/1_dataset/12_dedup.ipynb' in names and 'espresso/profiles/nano.yaml' in names
    assert {f'espresso/paper/report.{e}' for e in ('html', 'css', 'js')} <= set(names)
    assert not [n for n in names if n.startswith(('tests', 'outputs'))]
    zipfile.ZipFile(wheel).extractall(tmp_path/'site')
    env = os.environ | dict(PYTHONPATH=str(tmp_path/'site'))
    code = 'import espresso, sys; print(espresso.__file__); from espresso.cli import main; sys.exit(main())'
    out = tmp_path/'out'
    r = subprocess.run([sys.executable, '-c', code, 'run', '--out', str(out), '-p', 'world_clips', '2'], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert r.returncode == 0, r.stdout + r.stderr
    assert r.stdout.startswith(str(tmp_path/'site'))
    assert sorted(p.name for p in out.glob('*.ipynb'))[0] == '10_curation.ipynb'
