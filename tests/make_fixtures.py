"""Make the fixture rows of nbs/fixtures again: the chain on the three clips there, captioned by their own script. `make fixtures` runs it."""
import shutil, sys, tempfile
from pathlib import Path
from espresso.cli import main
from espresso.runs import STAGES

fixtures = Path(__file__).parent.parent/'nbs'/'fixtures'
out = Path(tempfile.mkdtemp())
CHAIN = ['run', '--videos', str(fixtures/'clips'/'manifest.csv'), '--out', str(out), '-p', 'captioner', 'truth', '-p', 'test_share', '0.4', '-p', 'seed', '18']
for until in 'exchange', 'score': # the notebooks of the later stages look at the fixtures of the earlier ones
    if main([*CHAIN, '--until', until]): sys.exit(1)
    for stage in STAGES:
        if stage.name in ('exchange', 'training', 'score') or not (out/stage.name).is_dir(): continue # nothing reads the first three by default
        folder = fixtures/stage.name
        shutil.rmtree(folder, ignore_errors=True); folder.mkdir()
        for f in (out/stage.name).glob('part-*.parquet'): shutil.copy(f, folder/f.name)
