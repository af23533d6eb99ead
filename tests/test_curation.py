"Curation and captions on odd files: every file comes out as a video or as a drop that names it"
import os
from fractions import Fraction
from pathlib import Path
import av, numpy as np, pytest
from hypothesis import given, strategies as st
from espresso.dataset.captions import describe
from espresso.dataset.curation import Candidate, COLUMNS, curate, file_id, find, identify, raise_rate, read_manifest, search
from espresso.engine import map_rows
from espresso.records import Drop, Stop, Video, read_parquet
from espresso.store import Store
from espresso.video import read_frames, scan, times_at, write_video


def film(path, frames=16, fps=8, speed=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = []
    for t in range(frames):
        im = np.full((48, 64, 3), 90, np.uint8); x = t*speed % 40; im[8:40, x:x+20] = (200, 30, 30); images.append(im)
    write_video(path, images, fps=fps)
    return path


def sound(path):
    with av.open(str(path), 'w') as c:
        s = c.add_stream('aac', rate=16000); s.layout = 'mono'
        f = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format='fltp', layout='mono'); f.sample_rate = 16000
        for p in s.encode(f): c.mux(p)
        for p in s.encode(): c.mux(p)
    return path


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('films')
    film(root/'CUVA'/'a.mp4'); (root/'copy.mp4').write_bytes((root/'CUVA'/'a.mp4').read_bytes())
    film(root/'b#1 @é.mp4', speed=2).rename(root/'b#1 @é')
    film(root/'.hidden.mp4'); film(root/'.cache'/'x.mp4')
    (root/'empty.mp4').write_bytes(b''); (root/'also_empty.webm').write_bytes(b''); (root/'text.mp4').write_text('not a film ' * 500)
    (root/'noise.mkv').write_bytes(np.random.default_rng(0).bytes(40_000))
    sound(root/'sound.m4a')
    whole = film(root/'z.mkv', frames=200, speed=7).read_bytes(); (root/'z.mkv').unlink(); (root/'cut.mkv').write_bytes(whole[:len(whole)//2])
    film(root/'one.mp4', frames=1); film(root/'short.mp4', frames=3, fps=30)
    for n in ('notes.txt', 'a.truth.json', 'poster.JPG', 'subs.srt'): (root/n).write_bytes(b'x')
    (root/'gone.mp4').symlink_to(root/'nowhere.mp4')
    return root


def run(folder, out):
    files, base = find(folder, Store(''))
    counts = map_rows(lambda c: curate(c, base), files, out, Video, 'curation', unit_id=lambda c: c.path)
    return counts, {v.path: v for v in read_parquet(out, Video)}, {d.row_id: d for d in read_parquet(out/'drops', Drop)}


def test_every_file_is_a_video_or_a_named_drop(folder, tmp_path):
    counts, videos, drops = run(folder, tmp_path/'out')
    assert set(videos) == {'CUVA/a.mp4', 'b#1 @é', 'cut.mkv', 'one.mp4', 'short.mp4'}
    assert set(drops) == {'copy.mp4', 'empty.mp4', 'also_empty.webm', 'text.mp4', 'noise.mkv', 'sound.m4a'}
    assert (drops['copy.mp4'].kind, drops['copy.mp4'].reason) == ('dropped', 'identical file') and 'CUVA/a.mp4' in drops['copy.mp4'].detail
    assert drops['empty.mp4'].reason == 'identical file' and 'also_empty.webm' in drops['empty.mp4'].detail
    for name in ('also_empty.webm', 'text.mp4', 'noise.mkv', 'sound.m4a'): assert drops[name].kind == 'quarantined' and name in drops[name].detail, drops[name]
    assert videos['CUVA/a.mp4'].source == 'CUVA' and videos['b#1 @é'].source == 'other'
    assert counts.units == 11 and counts.rows == 5
    assert videos['cut.mkv'].truncated and not videos['CUVA/a.mp4'].truncated
    for v in videos.values(): assert v.sample_fps > 0 and v.sample_rule


def test_short_clips_show_two_frames(folder, tmp_path):
    _, videos, _ = run(folder, tmp_path/'out')
    for v in videos.values():
        seen = {p.frame.index for p in read_frames(folder/v.path, times_at(v, v.sample_fps))}
        assert len(seen) >= min(2, v.frames), v
    assert 'raised' in videos['short.mp4'].sample_rule and 'one frame' in videos['one.mp4'].sample_rule


def test_two_frames_far_apart_in_time(tmp_path):
    "The second frame comes late: only a look at the timestamps finds it"
    path = tmp_path/'late.mkv'
    with av.open(str(path), 'w') as c:
        s = c.add_stream('libx264', rate=1000); s.width, s.height, s.pix_fmt = 64, 48, 'yuv420p'
        for pts in (0, 460):
            f = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 50 + pts//4, np.uint8), format='rgb24'); f.pts, f.time_base = pts, Fraction(1, 1000)
            c.mux(s.encode(f))
        c.mux(s.encode())
    index = scan(path)
    fps, rule = raise_rate(index, 1., 'why')
    assert len({p.frame.index for p in read_frames(path, times_at(index, fps))}) == 2 and 'raised' in rule


def test_a_folder_that_is_missing_empty_or_without_candidates(tmp_path):
    with pytest.raises(Stop, match='no folder or manifest'): find(tmp_path/'none', Store(''))
    with pytest.raises(Stop, match='holds no file'): find(tmp_path, Store(''))
    (tmp_path/'readme.md').write_text('x')
    with pytest.raises(Stop, match='holds no file'): find(tmp_path, Store(''))


def test_manifest_rules_and_rates(folder, tmp_path):
    m = folder/'list.csv'
    m.write_text('\ufeffpath, source ,motion,fps\nCUVA/a.mp4,xd_violence,,0.5\ncopy.mp4,,static,\n"b#1 @é",,DYNAMIC,\n', encoding='utf-8')
    try:
        counts, videos, drops = run(m, tmp_path/'out')
        assert videos['CUVA/a.mp4'].source == 'XD-Violence' and videos['CUVA/a.mp4'].sample_fps == .5 or 'raised' in videos['CUVA/a.mp4'].sample_rule
        assert videos['b#1 @é'].sample_fps >= 2 and drops['copy.mp4'].reason == 'identical file'
    finally: m.unlink()


@given(st.text(max_size=200))
def test_any_text_is_a_manifest_or_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.mktemp('m')/'m.csv'
    path.write_text(text, encoding='utf-8', errors='surrogatepass')
    try: rows = read_manifest(path)
    except Stop as e: assert str(path) in str(e)
    else: assert rows


def test_hashes_are_kept_and_noticed_when_stale(folder):
    store = Store('')
    a = identify(search(folder), folder, store); n = len(store)
    assert identify(search(folder), folder, store) == a and len(store) == n
    assert a[0].id == file_id(folder/a[0].path)


class Namer:
    "Says the index of each picture and remembers what it saw"
    name = 'namer'
    def __init__(self, fail_at=None): self.seen, self.fail_at = [], fail_at
    def caption(self, path, pictures):
        self.seen.append([p.frame.index for p in pictures])
        if self.fail_at is not None and len(self.seen) > self.fail_at: raise RuntimeError('out of memory')
        return [f'Frame {p.frame.index}.' for p in pictures]


def test_captions_go_on_where_they_stopped(folder, tmp_path):
    _, videos, _ = run(folder, tmp_path/'out')
    video, store = videos['CUVA/a.mp4'].__class__(**{**vars(videos['CUVA/a.mp4']), 'sample_fps': 8.}), Store('')
    with pytest.raises(RuntimeError): describe(video, folder, Namer(fail_at=2), store, window=5)
    again = Namer()
    said = describe(video, folder, again, store, window=5)
    assert again.seen[0][0] == 8 and [c.frame.index for c in said] == list(range(16))
    assert all(c.text == f'Frame {c.frame.index}.' for c in said)
    assert [c.frame.index for c in describe(video, folder, Namer(), Store(''), window=2)] == list(range(16))


@pytest.mark.parametrize('window', [1, 2, 3, 7, 100])
def test_windows_give_each_frame_once(folder, tmp_path, window):
    _, videos, _ = run(folder, tmp_path/'out')
    v = videos['cut.mkv']
    said = describe(v, folder, Namer(), Store(''), window=window)
    assert [c.frame.index for c in said] == sorted({p.frame.index for p in read_frames(folder/v.path, times_at(v, v.sample_fps))})


REAL = Path(os.environ.get('ESPRESSO_ODD_CLIPS', 'nowhere'))
@pytest.mark.skipif(not REAL.is_dir(), reason='set ESPRESSO_ODD_CLIPS to a folder of real odd clips to try them')
def test_real_odd_clips(tmp_path):
    counts, videos, drops = run(REAL, tmp_path/'out')
    assert counts.units == len(videos) + len(drops)
    for v in videos.values(): assert len({p.frame.index for p in read_frames(REAL/v.path, times_at(v, v.sample_fps))}) >= min(2, v.frames)


def test_videos_are_described_side_by_side_as_one_after_the_other():
    "Detectors that keep scratch memory must not be shared by the threads that describe videos"
    from concurrent.futures import ThreadPoolExecutor
    from espresso.offline.people import faces
    rng = np.random.default_rng(0)
    images = [np.clip(np.array([200, 150, 120]) + rng.normal(0, 25, (120 + 17*(i % 7), 160 + 23*(i % 5), 1)), 0, 255).astype(np.uint8) for i in range(24)]
    one = [faces(im) for im in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3): assert list(pool.map(faces, images)) == one
