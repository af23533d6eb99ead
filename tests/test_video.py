"Odd files, damaged files, and that a plan gives the frames that reading on gives, with no frame decoded in vain."
import multiprocessing, os, random
from fractions import Fraction
from pathlib import Path
import av, numpy as np, pytest
from espresso.planner import due, plan
from espresso.tape import Tape, wanted_frames
from espresso.video import VideoError, distinct, iter_frames, probe, read_frames, scan, times_at, write_video

WIDTH, HEIGHT, BITS = 128, 64, 8

def frame(k, w=WIDTH, h=HEIGHT):
    "A moving gradient with the frame number as eight blocks of black and white"
    y, x = np.mgrid[:h, :w]
    a = np.stack([(x*2 + 5*k) % 256, (y*3 + 3*k) % 256, (x + y + 7*k) % 256], -1).astype(np.uint8)
    for b in range(BITS): a[:16, b*16:b*16 + 16] = 255 * (k >> b & 1)
    return a

def number(image): return sum(int(image[8, b*16 + 8].mean() > 127) << b for b in range(BITS))

def encode(path, codec, frames=60, options=None, fps=30, pix_fmt='yuv420p', times=None, streams=((WIDTH, HEIGHT),), container={}, default=None):
    "A clip in any codec; several sizes give several video streams"
    with av.open(f'file:{path}', 'w', options=container) as c:
        ss = []
        for w, h in streams:
            s = c.add_stream(codec, rate=fps, options=options or {}); s.width, s.height, s.pix_fmt = w, h, pix_fmt
            if times is not None: s.codec_context.time_base = Fraction(1, 1000)
            if default: s.disposition = av.stream.Disposition.default if default[len(ss)] else 0
            ss.append(s)
        for k in range(frames):
            for s, (w, h) in zip(ss, streams):
                f = av.VideoFrame.from_ndarray(frame(k, w, h), format='rgb24')
                f.pts, f.time_base = (k, Fraction(1, fps)) if times is None else (round(times[k]*1000), Fraction(1, 1000))
                c.mux(s.encode(f))
        for s in ss: c.mux(s.encode())
    return path

def sound(path, seconds=1.):
    "A file with nothing but sound"
    with av.open(str(path), 'w') as c:
        s = c.add_stream('aac', rate=16000, layout='mono')
        for k in range(int(seconds * 16000 / 1024)):
            f = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format='fltp', layout='mono')
            f.sample_rate, f.pts = 16000, k * 1024
            c.mux(s.encode(f))
        c.mux(s.encode())

def all_frames(path):
    "Reading on with PyAV, the plain way: seconds from the first frame, and pixels"
    with av.open(f'file:{path}') as c:
        found = [(f.time, f.to_ndarray(format='rgb24')) for f in c.decode(video=0)]
    return np.array([t for t, _ in found]) - found[0][0], [a for _, a in found]

X264 = lambda keyint, more='': {'x264-params': f'keyint={keyint}:min-keyint={min(keyint, 30)}:scenecut=0{more}'}
CLIPS = {
    'gop_12.mp4': ('libx264', X264(12)), 'gop_30.mp4': ('libx264', X264(30)), 'one_keyframe.mp4': ('libx264', X264(9999)),
    'open_gop.mp4': ('libx264', X264(12, ':open-gop=1')), 'open_gop.mkv': ('libx264', X264(12, ':open-gop=1')),
    'pyramid.mkv': ('libx264', X264(24, ':bframes=8:b-adapt=0')), 'no_b.mp4': ('libx264', X264(12, ':bframes=0')),
    'all_key.mp4': ('libx264', X264(1)), 'stream.ts': ('libx264', X264(12)), 'avi.avi': ('libx264', X264(12, ':bframes=0')),
    'hevc.mp4': ('libx265', {'x265-params': 'keyint=16:min-keyint=16:log-level=none'}),
    'hevc10.mkv': ('libx265', {'x265-params': 'keyint=16:min-keyint=16:log-level=none'}),
    'mpeg4.mp4': ('mpeg4', {'g': '12', 'bf': '2', 'qscale': '2'}), 'mpeg2.mpg': ('mpeg2video', {'g': '12', 'bf': '2', 'b': '4000000'}),
    'vp8.webm': ('libvpx', {'g': '12', 'deadline': 'realtime', 'auto-alt-ref': '1', 'lag-in-frames': '8', 'b': '1000000'}),
    'vp9.webm': ('libvpx-vp9', {'g': '12', 'deadline': 'realtime', 'auto-alt-ref': '1', 'lag-in-frames': '8', 'b': '1000000'}),
    'av1.mkv': ('libsvtav1', {'g': '12', 'preset': '12'}), 'fragmented.mp4': ('libx264', X264(12)),
}

@pytest.fixture(scope='session')
def clips(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp('clips'), {}
    for name, (codec, options) in CLIPS.items():
        if codec not in av.codecs_available: continue
        made[name] = encode(folder/name, codec, options=options, pix_fmt='yuv420p10le' if name == 'hevc10.mkv' else 'yuv420p',
            container={'movflags': 'frag_keyframe+empty_moov'} if name == 'fragmented.mp4' else {})
    return made

@pytest.mark.parametrize('name', CLIPS)
def test_a_plan_gives_what_reading_on_gives(clips, name):
    "Any set of times, in any density, with one thread or several: same frames, same pixels"
    if name not in clips: pytest.skip('no encoder for it here')
    path, (times, images) = clips[name], all_frames(clips[name])
    index = scan(path)
    assert not index.why and np.allclose(index.times, times, atol=1e-6)
    rng = random.Random(name)
    wanted = [times_at(index, fps) for fps in (.7, 3, 10, 45)] + [[rng.uniform(-.1, 2.2) for _ in range(rng.choice([1, 2, 9]))] for _ in range(6)]
    for n, ts in enumerate(wanted):
        right = [max(int(np.searchsorted(times, t + 1e-6, side='right')) - 1, 0) for t in ts]
        got = read_frames(path, ts, threads=1 + n % 3, index=index if n % 2 else None)
        assert [p.frame.index for p in got] == right
        assert all(np.array_equal(p.image, images[k]) for p, k in zip(got, right))
        assert [p.frame.time_s for p in got] == pytest.approx([times[k] for k in right])

@pytest.mark.parametrize('name', CLIPS)
def test_no_frame_is_decoded_in_vain(clips, name):
    "The decoder hands out as many frames as the plan says (for codecs that hide which frames are spare, no more)"
    if name not in clips: pytest.skip('no encoder for it here')
    index = scan(clips[name])
    for fps in (.7, 3, 10):
        tape, spans = Tape(clips[name], index), plan(index, due(index, times_at(index, fps)))
        for s in spans: assert [(k, n) for k, n, _ in wanted_frames(tape, s)] == [(k, k) for k in s.frames]
        planned = sum(len(s.feed) for s in spans)
        if name in ('gop_12.mp4', 'gop_30.mp4', 'one_keyframe.mp4', 'pyramid.mkv', 'hevc.mp4'): assert tape.decoded == planned
        assert tape.decoded <= planned <= len(index.pts)
    if name in ('gop_30.mp4', 'pyramid.mkv', 'stream.ts'): assert index.spare.sum() > len(index) / 4

def test_uneven_frames(tmp_path):
    rng = np.random.default_rng(0)
    times = np.round(np.cumsum(rng.choice([.02, .04, .2], 60)), 3)
    for name in ('uneven.mkv', 'uneven.mp4'):
        path = encode(tmp_path/name, 'libx264', times=times, options=X264(10))
        shown = times - times[0]
        index = scan(path)
        assert np.allclose(index.times, shown, atol=1e-3)
        for reader in ('pyav', 'decord'):
            wanted = (shown + .01)[::3].tolist()
            assert [number(p.image) for p in read_frames(path, wanted, reader=reader)] == list(range(0, 60, 3))

def test_write_video_keeps_times_and_bytes(tmp_path):
    times = [0, .1, .5, 2.]
    for k in range(2): write_video(tmp_path/f'{k}.mp4', map(frame, range(4)), times=times, fps=10)
    assert (tmp_path/'0.mp4').read_bytes() == (tmp_path/'1.mp4').read_bytes()
    assert scan(tmp_path/'0.mp4').times == pytest.approx(times, abs=1e-4)
    write_video(tmp_path/'odd.mp4', (frame(k)[:63, :127] for k in range(3)))
    assert (probe(tmp_path/'odd.mp4').width, probe(tmp_path/'odd.mp4').height) == (126, 62)

@pytest.mark.parametrize('angle', [0, 90, 180, 270])
def test_rotation(tmp_path, angle):
    path = tmp_path/'turned.mp4'
    write_video(path, map(frame, range(3)), rotation=angle, crf=4)
    info = probe(path)
    assert info.rotation == angle and (info.width, info.height) == ((WIDTH, HEIGHT) if angle % 180 == 0 else (HEIGHT, WIDTH))
    image = read_frames(path, [0])[0].image
    assert image.shape == (info.height, info.width, 3)
    assert np.abs(np.rot90(image, angle // 90).astype(int) - frame(0)).mean() < 12
    small = read_frames(path, [0], short_side=32)[0].image
    assert small.shape == ((32, 64, 3) if angle % 180 == 0 else (64, 32, 3))

def test_strange_names(tmp_path):
    data = encode(tmp_path/'a.mkv', 'libx264', frames=5).read_bytes()
    os.chdir(tmp_path)
    for name in ('-x #@ y.mp4', 'no_extension', 'a:b.mp4', '%03d.mp4', 'wrong.txt', 'ünï?.mkv', 'concat:a.mkv'):
        Path(name).write_bytes(data)
        assert probe(name).frames == 5 and number(read_frames(name, [.1])[0].image) == 3

@pytest.mark.parametrize('default, taken', [((1, 1), 1), ((1, 0), 0), ((0, 1), 1)])
def test_two_video_streams(tmp_path, default, taken):
    "Of the streams marked as default the one with the most pixels"
    path = encode(tmp_path/'two.mkv', 'libx264', streams=((128, 32), (256, 64)), default=default)
    info = probe(path)
    assert (info.width, info.streams, info.stream) == ((128, 256)[taken], 2, taken)
    assert [number(p.image) for p in read_frames(path, [0, 1])] == [0, 30]

def test_gif_and_one_frame(tmp_path):
    encode(tmp_path/'a.gif', 'gif', frames=9, fps=10, pix_fmt='rgb8')
    assert [number(p.image) for p in read_frames(tmp_path/'a.gif', [0, .35, .8])] == [0, 3, 8]
    write_video(tmp_path/'one.mp4', [frame(5)], fps=4)
    info = probe(tmp_path/'one.mp4')
    assert (info.frames, info.fps) == (1, 0.) and info.seconds == pytest.approx(.25)
    assert [number(p.image) for p in read_frames(tmp_path/'one.mp4', times_at(info, 1))] == [5]

def test_refusals(tmp_path):
    (tmp_path/'empty.mp4').touch(); (tmp_path/'folder').mkdir(); sound(tmp_path/'sound.mp4')
    (tmp_path/'text.txt').write_text('1\n00:00:00,000 --> 00:00:01,000\nA subtitle\n\n' * 50)
    (tmp_path/'list.m3u8').write_text('#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsound.mp4\n#EXT-X-ENDLIST\n')
    (tmp_path/'noise.mp4').write_bytes(np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8).tobytes())
    (tmp_path/'head.mp4').write_bytes(encode(tmp_path/'a.mp4', 'libx264').read_bytes()[:3000])
    with av.open(str(tmp_path/'still.png'), 'w', format='image2') as c:
        s = c.add_stream('png'); s.width, s.height, s.pix_fmt = 64, 64, 'rgb24'
        c.mux(s.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8)))); c.mux(s.encode())
    os.mkfifo(tmp_path/'pipe')
    for name, fault in {'empty.mp4': 'is empty', 'folder': 'is not a file', 'pipe': 'is not a file', 'gone.mp4': 'no such file', 'sound.mp4': 'holds no video, only audio',
                        'text.txt': 'cannot be opened', 'list.m3u8': 'cannot be opened', 'noise.mp4': 'cannot be opened', 'head.mp4': 'cannot be opened', 'still.png': 'cannot be opened'}.items():
        for call in (probe, scan, lambda p: read_frames(p, [0]), lambda p: read_frames(p, [0], reader='decord'), lambda p: list(iter_frames(p, [0]))):
            with pytest.raises(VideoError) as e: call(tmp_path/name)
            assert name in str(e.value) and fault in str(e.value) and '\n' not in str(e.value)

def test_truncated(tmp_path):
    "A file cut short gives the frames it has and says that it was cut"
    encode(tmp_path/'whole.mp4', 'libx264', options=X264(12), container={'movflags': '+faststart'})
    encode(tmp_path/'whole.mkv', 'libx264', frames=120, options=X264(12))
    encode(tmp_path/'whole.avi', 'libx264', frames=120, options=X264(12, ':bframes=0'))
    for name in ('whole.mp4', 'whole.mkv', 'whole.avi'):
        whole, cut = probe(tmp_path/name), tmp_path/('cut_' + name)
        cut.write_bytes((tmp_path/name).read_bytes()[:int((tmp_path/name).stat().st_size * .6)])
        info = probe(cut)
        assert not whole.truncated and info.truncated and info.why
        assert 5 < info.frames < whole.frames and info.seconds < whole.seconds
        pictures = read_frames(cut, scan(cut).times)
        assert len(pictures) == info.frames and [number(p.image) for p in pictures][:-4] == list(range(info.frames - 4))
        assert read_frames(cut, [99])[0].frame == pictures[-1].frame

def test_sound_longer_than_the_picture_is_no_fault(tmp_path):
    for name in ('long.mp4', 'long.mkv'):
        with av.open(str(tmp_path/name), 'w') as c:
            v = c.add_stream('libx264', rate=10); v.width, v.height, v.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
            a = c.add_stream('aac', rate=16000, layout='mono')
            for k in range(10): c.mux(v.encode(av.VideoFrame.from_ndarray(frame(k), format='rgb24')))
            c.mux(v.encode())
            for k in range(80):
                f = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format='fltp', layout='mono'); f.sample_rate, f.pts = 16000, k*1024
                c.mux(a.encode(f))
            c.mux(a.encode())
        info = probe(tmp_path/name)
        assert info.seconds == pytest.approx(1., abs=.01) and info.frames == 10 and not info.truncated
        assert len(times_at(info, 2)) == 2

def _survives(folder, clips, seeds):
    for path in clips:
        data = path.read_bytes()
        for seed in seeds:
            rng, bad = random.Random(seed), bytearray(data)
            for _ in range(rng.choice([1, 5, 40])):
                at, n = rng.randrange(len(bad)), rng.randrange(1, 60)
                bad[at:at + n] = rng.randbytes(len(bad[at:at + n]))
            broken = Path(folder)/f'{seed}_{path.name}'
            broken.write_bytes(bad)
            try: info = probe(broken); times = times_at(info, 10)[:200]; pictures = read_frames(broken, times, threads=1 + seed % 2)
            except VideoError: continue
            assert len(pictures) == len(times)
            assert all(a.frame.index <= b.frame.index for a, b in zip(pictures, pictures[1:]))

def test_damage_is_survived(clips, tmp_path):
    "Random bytes anywhere: pictures or one sentence, never a hang, a crash or another kind of error"
    names = [clips[n] for n in ('gop_12.mp4', 'hevc.mp4', 'vp9.webm', 'open_gop.mkv', 'stream.ts') if n in clips]
    process = multiprocessing.get_context('spawn').Process(target=_survives, args=(tmp_path, names, range(25)))
    process.start(); process.join(90)
    hung = process.is_alive()
    if hung: process.kill()
    assert not hung and process.exitcode == 0

def test_a_lost_frame_is_replaced_by_the_one_before(clips, tmp_path):
    index, data = scan(clips['gop_12.mp4']), bytearray(clips['gop_12.mp4'].read_bytes())
    with av.open(str(clips['gop_12.mp4'])) as c:
        place = {index.rank[q.pts]: (q.pos, q.size) for q in c.demux(video=0) if q.size}
    for k in range(24, 36): at, n = place[k]; data[at:at + n] = bytes(n) # a whole group of pictures
    (tmp_path/'lost.mp4').write_bytes(data)
    pictures = read_frames(tmp_path/'lost.mp4', times_at(index, 30))
    assert [p.frame.index for p in pictures] == [min(k, 23) if k < 36 else k for k in range(60)]
    assert all(number(p.image) == p.frame.index for p in pictures)

def test_memory_is_bounded(clips):
    "The generator holds back only a few pictures"
    import gc, weakref
    alive, most = [], 0
    for p in iter_frames(clips['one_keyframe.mp4'], times_at(probe(clips['one_keyframe.mp4']), 30)):
        alive = [r for r in alive if r() is not None] + [weakref.ref(p)]
        most = max(most, len(alive))
    assert most <= 3

def test_times(clips):
    info = probe(clips['gop_12.mp4'])
    assert times_at(info, 2) == [0, .5, 1, 1.5] and times_at(info, .1) == [0] and times_at(info, 2, .6, 1.2) == [1]
    assert len(distinct(scan(clips['gop_12.mp4']), times_at(info, 100))) == 60
    assert read_frames(clips['gop_12.mp4'], []) == []
    with pytest.raises(ValueError, match='fps must be above zero'): times_at(info, 0)
    with pytest.raises(ValueError, match='ascend'): list(iter_frames(clips['gop_12.mp4'], [1, 0]))
    with pytest.raises(ValueError, match='reader must be'): read_frames(clips['gop_12.mp4'], [0], reader='x')

REAL = Path(__file__).parents[2]/'shared'/'videos'

@pytest.mark.skipif(not REAL.exists(), reason='the folder of trial clips is not here')
def test_real_odd_clips():
    readable = refused = 0
    for path in sorted(REAL.iterdir()):
        if path.suffix in ('.json', '.md'): continue
        try: info = probe(path); pictures = read_frames(path, times_at(info, 1), short_side=64)
        except VideoError: refused += 1; continue
        readable += 1
        assert len(pictures) == len(times_at(info, 1)) and min(pictures[0].image.shape[:2]) == 64
        if path.name == 'nasa_13013.mp4': assert (info.width, info.streams, round(info.seconds, 1)) == (480, 2, 13.0)
        if path.name == 'video_90.mov': assert (info.width, info.height, info.rotation) == (320, 568, 90)
    assert (readable, refused) == (15, 2)
