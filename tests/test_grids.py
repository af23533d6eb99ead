"""What is finished stays, what other weights have made goes, and questions nobody chose for are not shown other frames."""
import shutil
import pytest
from espresso.backends.weights import model_folder
from espresso.reasoner.grids import do, ground, questions_of
from espresso.records import read_parquet
from espresso.selector.selection import Selected, times_from

@pytest.fixture(scope='module')
def home(tmp_path_factory): return tmp_path_factory.mktemp('grid')

@pytest.fixture(scope='module')
def place(home): return ground(home, 6, 3, 0, 1)

def test_a_grid_goes_on_where_it_was(home, place):
    rows, clips, asked = questions_of(place)
    assert rows and rows.keys() == clips.keys() == asked.keys()
    stamps = [(home/s/'run.json').stat().st_mtime_ns for s in ('curation', 'worldset')]
    assert ground(home, 6, 3, 0, 1) == place
    assert stamps == [(home/s/'run.json').stat().st_mtime_ns for s in ('curation', 'worldset')]

    folder, given = home/'selection'/'two', place | dict(selector='uniform:frames=2')
    record = do('selection', given, folder)
    assert record['notes']['parameters'] == 0 and record['notes']['account']['questions'] == len(rows)
    assert {s.id for s in read_parquet(folder, Selected)} == rows.keys()
    assert all(len(times_from(folder)(i, None)) == 2 for i in rows.values())
    stamp = (folder/'run.json').stat().st_mtime_ns
    assert do('selection', given, folder)['finished'] == record['finished'] and (folder/'run.json').stat().st_mtime_ns == stamp

def test_other_weights_under_an_old_name_choose_anew(tmp_path, place):
    viewer = tmp_path/'viewer'
    shutil.copytree(model_folder('nano/viewer'), viewer)
    def choose(): return do('selection', place | dict(selector=f'bolt:frames=2?viewer=local:{viewer}'), tmp_path/'selection')['notes']['given']['its models']
    def made(): return (tmp_path/'selection'/'part-00000.parquet').stat().st_mtime_ns
    first, then = choose(), made()
    assert list(first) == [str(viewer)] and (choose(), made()) == (first, then)
    (viewer/'config.json').touch()
    assert choose() != first and made() > then
