"""Side by side: espresso.video against decord, torchcodec and two plain ways to use PyAV.

Sixteen cases: keyframes every 12, 30, 250 frames and only one, at 0.2, 1, 2 and 4 pictures a second. Every contender opens the file,
picks the frames due at the same times and delivers RGB uint8 arrays at full size. Within a case the contenders take turns, so that
whatever else the machine does hits all of them alike; the figure is the median of the repeats. A contender with several settings
counts by its best one; of the two plain ways the one that would decode several times more than the other is left out (-). The frame
number is burnt into the picture and read back: a wrong frame ends the run. Processor seconds (last column) depend least on what else runs.

    python benchmarks/decode.py [--clips FOLDER] [--seconds 60] [--repeats 5] [--gops 12,30,250,one] [--rates 0.2,1,2,4]
"""
import argparse, gc, math, os, sys, time
from fractions import Fraction
from pathlib import Path
from statistics import median
import av, cv2, numpy as np
from espresso.planner import due, plan
from espresso.video import read_frames, scan, times_at

WIDTH, HEIGHT, FPS, BITS = 1280, 720, 30, 12
GOPS = {'12': 12, '30': 30, '250': 250, 'one': 100_000}

def texture(rng, h, w):
    "Noise on all scales, like foliage and walls"
    out = np.zeros((h, w, 3), np.float32)
    for step in (4, 8, 16, 32, 64, 128, 256):
        out += cv2.resize(rng.normal(size=(h//step + 2, w//step + 2, 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC) * step**.55
    return (255 * (out - out.min()) / (out.max() - out.min())).astype(np.uint8)

def scene(frames, seed=0):
    "A panning camera, eight things that move on paths of their own, sensor noise, and the frame number as blocks of black and white"
    rng = np.random.default_rng(seed)
    back = texture(rng, 1200, 2200)
    things = [texture(rng, rng.integers(80, 260), rng.integers(80, 300)) for _ in range(8)]
    phase, speed = rng.uniform(0, 6.28, (8, 2)), rng.uniform(.2, 1.2, (8, 2))
    noise = [rng.normal(0, 2, (HEIGHT, WIDTH, 1)).astype(np.int16) for _ in range(7)]
    for i in range(frames):
        t = i / FPS
        centre = 450 + 440*np.sin(t*.23) + WIDTH/2, 230 + 220*np.sin(t*.31) + HEIGHT/2
        image = cv2.getRectSubPix(back, (WIDTH, HEIGHT), centre)
        for thing, p, s in zip(things, phase, speed):
            h, w = thing.shape[:2]
            x, y = int((WIDTH - w) * (.5 + .5*np.sin(s[0]*t + p[0]))), int((HEIGHT - h) * (.5 + .5*np.sin(s[1]*t + p[1])))
            image[y:y+h, x:x+w] = thing
        image = np.clip(image + noise[i % 7], 0, 255).astype(np.uint8)
        for b in range(BITS): image[:32, b*32:b*32 + 32] = 255 * (i >> b & 1)
        yield image

def number(image): return sum(int(image[16, b*32 + 16].mean() > 127) << b for b in range(BITS))

def make_clips(folder, seconds):
    "One scene, encoded four times: x264's medium preset, B-frames as it likes, keyframes where the case wants them"
    paths = {g: folder/f'gop_{g}_{seconds}s.mp4' for g in GOPS}
    if all(p.exists() for p in paths.values()): return paths
    folder.mkdir(parents=True, exist_ok=True)
    print('writing the clips ...', flush=True)
    outs = []
    for g, p in paths.items():
        c = av.open(str(p.with_suffix('.part.mp4')), 'w')
        lowest = GOPS[g] if g != 'one' else 1
        s = c.add_stream('libx264', rate=FPS, options={'crf': '23', 'preset': 'medium', 'x264-params': f'keyint={GOPS[g]}:min-keyint={lowest}:scenecut=0'})
        s.width, s.height, s.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        outs.append((c, s, p))
    for i, image in enumerate(scene(seconds * FPS)):
        f = av.VideoFrame.from_ndarray(image, format='rgb24').reformat(format='yuv420p')
        for c, s, _ in outs:
            f.pts, f.time_base = i, Fraction(1, FPS)
            c.mux(s.encode(f))
    for c, s, p in outs: c.mux(s.encode()); c.close(); p.with_suffix('.part.mp4').rename(p)
    return paths

def ours(path, times): return [p.image for p in read_frames(path, times)]

def read_on(threads):
    def run(path, times):
        "Decode from the start to the last wanted frame"
        with av.open(str(path)) as c:
            s = c.streams.video[0]; s.thread_type = threads
            left, out, last = list(times), [], None
            for f in c.decode(s):
                while left and last is not None and f.time > left[0] + 1e-6: out.append(last.to_ndarray(format='rgb24')); left.pop(0)
                if not left: return out
                last = f
            return out + [last.to_ndarray(format='rgb24') for _ in left]
    return run

def seek(threads):
    def run(path, times):
        "Seek for every wanted frame"
        out = []
        with av.open(str(path)) as c:
            s = c.streams.video[0]; s.thread_type = threads
            for t in times:
                c.seek(int((t + 1e-6) / s.time_base), stream=s)
                last = None
                for f in c.decode(s):
                    if last is not None and f.time > t + 1e-6: break
                    last = f
                out.append(last.to_ndarray(format='rgb24'))
        return out
    return run

def with_decord(threads):
    def run(path, times):
        import decord
        v = decord.VideoReader(str(path), num_threads=threads)
        since = v.get_frame_timestamp(range(len(v)))[:, 0]
        return list(v.get_batch(np.searchsorted(since, np.array(times) + 1e-4, side='right') - 1).asnumpy())
    return run

def with_torchcodec(threads):
    def run(path, times):
        from torchcodec.decoders import VideoDecoder
        d = VideoDecoder(str(path), dimension_order='NHWC', num_ffmpeg_threads=threads)
        return list(d.get_frames_played_at(seconds=[t + 1e-6 for t in times]).data.numpy())
    return run

CONTENDERS = {
    'ours':       {'': ours},
    'read on':    {'auto': read_on('AUTO')},
    'seek':       {'auto': seek('AUTO'), 'none': seek('NONE')},
    'decord':     {'auto': with_decord(0)},
    'torchcodec': {'auto': with_torchcodec(0)},
}

def hopeless(name, index, times):
    "One of the two plain ways would decode several times what the other does"
    keys, wanted = np.flatnonzero(index.key), index.order[due(index, times)]
    seeking = sum(n - keys[np.searchsorted(keys, n, side='right') - 1] + 1 for n in wanted)
    return name == 'seek' and seeking > 4 * wanted.max() or name == 'read on' and wanted.max() > 8 * seeking

def one_case(path, fps, repeats):
    "Median seconds and processor seconds of every contender's best setting"
    index = scan(path)
    times = times_at(index, fps)
    right = due(index, times).tolist()
    runs = [(n, v, f) for n, vs in CONTENDERS.items() if not hopeless(n, index, times) for v, f in vs.items()]
    wall, cpu = {r[:2]: [] for r in runs}, {r[:2]: [] for r in runs}
    for turn in range(repeats):
        for name, variant, run in runs[turn % len(runs):] + runs[:turn % len(runs)]:
            gc.collect()
            t, u = time.perf_counter(), time.process_time()
            images = run(path, times)
            wall[name, variant].append(time.perf_counter() - t); cpu[name, variant].append(time.process_time() - u)
            if [number(i) for i in images] != right: sys.exit(f'{name} {variant} delivered wrong frames of {path} at {fps} a second')
            del images
    best = {n: min((median(wall[n, v]), median(cpu[n, v])) for v in vs if (n, v) in wall) for n, vs in CONTENDERS.items() if any((n, v) in wall for v in vs)}
    return best, sum(len(s.feed) for s in plan(index, right)), len(times)

def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--clips', type=Path, default=Path('outputs/decode_clips'), help='where the clips are kept')
    a.add_argument('--seconds', type=int, default=60, help='length of the clips')
    a.add_argument('--repeats', type=int, default=5, help='turns of each contender')
    a.add_argument('--gops', default=','.join(GOPS)); a.add_argument('--rates', default='0.2,1,2,4')
    a = a.parse_args()
    clips = make_clips(a.clips, a.seconds)
    for vs in CONTENDERS.values():
        for f in vs.values(): f(clips['12'], [0., .1]) # imports and first-use costs are nobody's
    print(f'{a.seconds} s of {WIDTH}x{HEIGHT}, {FPS} frames a second; milliseconds, median of {a.repeats}; {os.cpu_count()} cores')
    print(f'{"keyframes":>9} {"a second":>8} {"pictures":>8} {"decoded":>8}', *(f'{n:>11}' for n in CONTENDERS), f'{"best/ours":>10} {"processor":>10}')
    ratios, work = [], []
    for g in a.gops.split(','):
        for fps in map(float, a.rates.split(',')):
            best, decoded, pictures = one_case(clips[g], fps, a.repeats)
            rival = min((v for n, v in best.items() if n != 'ours'), key=lambda v: v[0])
            ratios.append(rival[0] / best['ours'][0]); work.append(min(v[1] for n, v in best.items() if n != 'ours') / best['ours'][1])
            cells = (f'{best[n][0]*1e3:11.0f}' if n in best else f'{"-":>11}' for n in CONTENDERS)
            print(f'{g:>9} {fps:8g} {pictures:8} {decoded:8}', *cells, f'{ratios[-1]:9.2f}x {work[-1]:9.2f}x', flush=True)
    mean = lambda xs: math.exp(sum(map(math.log, xs)) / len(xs))
    print(f'best contender / ours: geometric mean {mean(ratios):.2f}x, lowest {min(ratios):.2f}x; least processor time of any / ours: {mean(work):.2f}x')

if __name__ == '__main__': main()
