"""Published files with anything in them, and archives as `zip` itself splits them."""
import json, shutil, subprocess, zlib
import pytest
from hypothesis import given, settings, strategies as st
from espresso.evaluation.defects import DEFECTS, defects, read_official, survey
from espresso.evaluation.members import Parts, fetch_members, members
from espresso.evaluation.official import JsonList, as_item, published, read_published, task_names, write_list
from espresso.records import Stop

NAMES = task_names()
values = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8), st.sampled_from(['],[', '"', '\\', '[[1, 2]]', ' , ', '\u2028'])),
                      lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text(max_size=4), v, max_size=3)), max_leaves=6)


@settings(max_examples=40, deadline=None)
@given(st.lists(values, max_size=6), st.integers(8, 40), st.sampled_from([None, 0, 3]), st.booleans())
def test_a_list_is_read_and_written_back_whatever_it_holds(tmp_path_factory, some, chunk, indent, ascii):
    folder = tmp_path_factory.mktemp('f'); path = folder/'a.json'
    path.write_text(json.dumps(some, indent=indent, ensure_ascii=ascii), encoding='utf-8', newline='')
    file = JsonList(path, chunk)
    assert [v for _, v in file] == some
    write_list(folder/'b.json', (t for t, _ in file), file)
    assert (folder/'b.json').read_bytes() == path.read_bytes()


KEYS = ('video_path', 'question', 'answer', 'task', 'evidence', 'options', 'correct_answer', 'core_frames_paths', 'core_frames_captions', 'path', 'caption', 'keyframes_path')
pieces = st.lists(st.sampled_from(['<obj_start>', 'car', '<obj_end>', '<box_start>', '[[1, 2, 3, 4]]', '[]', '[[50, 50, 10, 10]]', '<box_end>', ' the two images', '(B)', 'x/480.jpg', '(A): yes']), max_size=6).map(''.join)

@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), st.one_of(pieces, values, st.lists(pieces, max_size=5)), max_size=12))
def test_any_record_becomes_a_row_with_named_defects(r):
    row = published(0, json.dumps(r), r, 100., NAMES)
    assert {d.name for d in defects(row)} <= DEFECTS.keys()
    item = as_item(row)
    assert -1 <= item.correct < max(1, len(item.options)) and item.task in NAMES.values()


GOOD = {'core_frames_paths': ['a/480.jpg'], 'core_frames_captions': ['Two men.'], 'question': 'Why do they row?', 'answer': 'To flee.', 'key_items': [], 'evidence': 'They look back.', 'task': 'Causal Analysis',
        'correct_answer': '(B)', 'video_path': 'all_video/CUVA/a.mp4', 'options': ['(A): For fun.', '(B): To flee.', '(C): To fish.', '(D): To race.']}

def test_totals_balance(tmp_path):
    bad = [dict(answer=3), dict(options=GOOD['options'][:3]), dict(correct_answer='(F)'), dict(question='')]
    records = [GOOD | dict(question=f'{k}?') for k in range(5)] + [GOOD | b for b in bad] + [None, 'x', GOOD | dict(question='0?')]
    (tmp_path/'t.json').write_text(json.dumps(records))
    s = survey(tmp_path/'t.json')
    assert s.records == len(records) and s.excluded.total() == 7 and s.excluded['same record'] == 1 and s.excluded['missing key'] == 4
    (tmp_path/'t.json').write_text(json.dumps([r for r in records if isinstance(r, dict)]))
    o = read_official(tmp_path/'t.json', blind=True)
    assert len(o.items) + len(o.excluded) == o.records == 10 and len(o.items) == 5
    (tmp_path/'train.json').write_text(json.dumps([{k: v for k, v in GOOD.items() if k not in ('options', 'core_frames_paths')}]))
    with pytest.raises(Stop, match='no test file'): read_official(tmp_path/'train.json', blind=True)


@pytest.mark.skipif(not shutil.which('zip'), reason='there is no zip program')
def test_a_zip_in_parts_as_zip_itself_makes_it(tmp_path):
    import random
    content = {n: random.Random(n).randbytes(60_000) + b'still '*9000 for n in range(6)}
    (tmp_path/'lead/CUVA').mkdir(parents=True)
    for n, b in content.items(): (tmp_path/f'lead/CUVA/{n} #@.mp4').write_bytes(b)
    subprocess.run(['zip', '-q', '-r', '-s', '100k', 'all.zip', 'lead'], cwd=tmp_path, check=True)
    assert (tmp_path/'all.z03').exists()
    got = fetch_members(tmp_path/'all.zip', tmp_path/'out', [f'all_video/CUVA/{n} #@.mp4' for n in (1, 3, 5)], say=lambda s: None)
    assert got['taken'] == 3 and all((tmp_path/f'out/lead/CUVA/{n} #@.mp4').read_bytes() == content[n] for n in (1, 3, 5))
    assert [m.crc for m in sorted(members(Parts(tmp_path/'all.zip')), key=lambda m: m.name)] == [zlib.crc32(b) for b in content.values()]
