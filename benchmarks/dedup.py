"""Dedup of a million caption vectors: seconds, peak memory, ratio to one pass that only reads the bytes.

    python benchmarks/dedup.py [--rows 1000000] [--dim 384] [--check]

The vectors are drifting walks with cuts, in a file larger than is held at once. `--check` compares every row with the plain loop.
"""
import argparse, os, resource, tempfile, time, tracemalloc
from pathlib import Path
import numpy as np
from espresso.dataset.dedup import keep_mask, keep_plain


def write_vectors(path, rows, dim, video, seed=0):
    "Unit vectors of a caption-like walk, written a piece at a time"
    rng = np.random.default_rng(seed)
    with open(path, 'wb') as f:
        for a in range(0, rows, 50_000):
            n = -(-min(50_000, rows-a)//video)
            moves = rng.standard_normal((n, video, dim), dtype=np.float32) * np.where(rng.random((n, video, 1)) < .1, 2, .3).astype(np.float32)
            v = np.cumsum(moves, 1).reshape(-1, dim)[:min(50_000, rows-a)]
            f.write((v/np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32).tobytes())


def read_once(path, piece=64 << 20):
    "The floor: every byte of the file, read into one buffer"
    buffer = bytearray(piece)
    with open(path, 'rb', buffering=0) as f:
        while f.readinto(buffer): pass


def timed(fn, *args, repeat=3):
    "Best of a few runs, in seconds, and the result"
    best, result = float('inf'), None
    for _ in range(repeat):
        t = time.perf_counter(); result = fn(*args); best = min(best, time.perf_counter()-t)
    return best, result


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--rows', type=int, default=1_000_000); p.add_argument('--dim', type=int, default=384)
    p.add_argument('--tau', type=float, default=.9); p.add_argument('--check', action='store_true')
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)/'vectors.f32'
        write_vectors(path, a.rows, a.dim, 100)
        v = np.memmap(path, np.float32, 'r', shape=(a.rows, a.dim))
        floor, _ = timed(read_once, path)
        print(f'{a.rows:,} vectors of {a.dim} floats, {path.stat().st_size/1e9:.2f} GB, tau {a.tau}; one pass that reads the bytes: {floor:.2f} s')
        for name, starts in (('videos of 100 frames', np.arange(0, a.rows, 100)), ('videos of 3,600 frames', np.arange(0, a.rows, 3600)), ('one video', np.array([0]))):
            seconds, keep = timed(keep_mask, v, starts, a.tau)
            tracemalloc.start(); keep_mask(v, starts, a.tau); peak = tracemalloc.get_traced_memory()[1]; tracemalloc.stop()
            line = f'{name:24} {seconds:6.2f} s  {seconds/floor:5.1f} x the pass  {peak/1e6:6.1f} MB allocated at most  {keep.mean():.1%} kept'
            if a.check:
                plain, same = timed(keep_plain, v, starts, a.tau, repeat=1)
                line += f'  plain loop {plain:.2f} s, ' + ('equal on every row' if np.array_equal(keep, same) else f'DIFFERS on {(keep != same).sum()} rows')
            print(line)
        print(f'peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1e6:.2f} GB, the mapped file included; {os.cpu_count()} CPUs')


if __name__ == '__main__': main()
