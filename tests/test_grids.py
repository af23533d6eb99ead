"""What is finished stays, what other weights have made goes, and questions nobody chose for are not shown other frames."""
import json
from espresso.reasoner.grids import do, ground, questions_of
from espresso.records import read_parquet
from espresso.selector.selection import Selected, times_from

def test_a_grid_goes_on_where_it_was(tmp_path):
    place = ground(tmp_path, 6, 3, 0, 1)
    rows, clips, asked = questions_of(place)
    assert rows and rows.keys() == clips.keys() == asked.keys()
    stamps = [(tmp_path/s/'run.json').stat().st_mtime_ns for s in ('curation', 'worldset')]
    assert ground(tmp_path, 6, 3, 0, 1) == place
    assert stamps == [(tmp_path/s/'run.json').stat().st_mtime_ns for s in ('curation', 'worldset')]

    folder, given = tmp_path/'selection'/'two', place | dict(selector='uniform:frames=2')
    record = do('selection', given, folder, 'reader@1')
    assert record['notes']['parameters'] == 0 and record['notes']['account']['questions'] == len(rows)
    assert {s.id for s in read_parquet(folder, Selected)} == rows.keys()
    assert all(len(times_from(folder)(i, None)) == 2 for i in rows.values())
    (folder/'mine.txt').write_text('kept while the weights are the same')
    assert do('selection', given, folder, 'reader@1')['finished'] == record['finished'] and (folder/'mine.txt').exists()
    do('selection', given, folder, 'reader@2')
    assert not (folder/'mine.txt').exists() and json.loads((folder/'run.json').read_text())['notes']['account']['questions'] == len(rows)
