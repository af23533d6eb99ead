"""The shipped selector, opened by name of its folder and judged on worlds it was not trained on."""
from pathlib import Path
import espresso.nano, pytest
from espresso.nano.selector import cases, judge_selector, open_selector, select

folder = Path(espresso.nano.__path__[0])/'weights'/'selector'

@pytest.fixture(scope='module')
def chooser(): return open_selector(folder)

def test_it_is_small_and_holds_no_pickles():
    assert sum(f.stat().st_size for f in folder.iterdir()) < 1.8*2**20 and {f.suffix for f in folder.iterdir()} <= {'.json', '.safetensors', '.jinja', '.jsonl'}

def test_core_frames(chooser): assert judge_selector(*chooser, cases(range(60), 1, 'test', 2), most=40)['f1'] >= .85

def test_it_reads_what_training_never_had(chooser):
    got = select(*chooser, [([(0., 'A zebra, 3 m tall — "striped" — is asleep.')], 'Zwölf?'), ([(k/2, 'The lamp is on.') for k in range(30)], 'Why?')])
    assert len(got) == 2 and all(0 <= k < n for g, n in zip(got, (1, 30)) for k in g)
