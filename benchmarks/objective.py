"""How long Algorithm 1 takes, from texts and from kept vectors, and how much memory a large benchmark needs.

    python benchmarks/objective.py [--items 1382] [--large 200000] [--encoder offline]

Texts are generated: answers, references and distractors of 15 to 40 words, as long as those of the published test set. The large benchmark is scored
with an encoder that only hashes (384 numbers, as MiniLM has), because what is measured there is this project's memory and not an encoder's time;
each part runs in a process of its own, so that one part's memory is not counted with another's.
"""
import argparse, os, random, resource, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np
from espresso.contracts import load
from espresso.evaluation.objective import bare_items, control_shares, score, share_table, shares, sweep
from espresso.evaluation.stats import TASKS
from espresso.evaluation.vectors import Vectors
from espresso.records import BenchmarkItem, Caption, Evidence, Frame, FrameGroup, Prediction, QAPair, Verdict, write_parquet

WORDS = '''the a and then because while light car woman man dog kitchen street turns walks holds opens puts red blue green small large left right slowly
suddenly together before after water pan onion crossing vehicle signal scene mood friend story lamp table window carefully smiles waits follows carries'''.split()


class Hashed:
    "A vector of 384 numbers for each text, without a model"
    name = 'hashed'
    def embed(self, texts): return np.stack([np.random.default_rng(abs(hash(t))).standard_normal(384, dtype=np.float32) for t in texts])


def words(rng): return ' '.join(rng.choice(WORDS) for _ in range(rng.randint(15, 40))).capitalize() + '.'


SEEN = [words(random.Random(k)) for k in range(1000)] # Captions repeat


def item(k, rng, captions):
    "A question of a video that has five"
    video = f'video-{k//5}'
    said = tuple(Caption(Frame(video, n, float(n)), rng.choice(SEEN), 'm') for n in range(captions))
    options = tuple(words(rng) for _ in range(4))
    qa = QAPair(f'q{k}', words(rng).replace('.', '?'), options[k % 4], FrameGroup(f'g{k}', video, 0, said), said[:2], 'm', Verdict(True, 'ok', '', 'm'))
    return BenchmarkItem(f'q{k}', Evidence(f'e{k}', qa, said[:2], (), words(rng), 'm'), TASKS[k % 14].name, 'test', options, k % 4, 'm')


def answer(i, rng):
    "The reference with a word or two changed, or something else"
    text = i.options[i.correct].split() if rng.random() < .5 else words(rng).split()
    text[rng.randrange(len(text))] = rng.choice(WORDS)
    return Prediction(i.id, i.evidence.qa.question, 'm', (), '', False, ' '.join(text), '', 0, 0, 0, 0., 0.)


def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20 # GiB; Linux counts in KiB


def small(items, encoder, folder, label):
    "Score a test set with four similarities each; the clock starts when the encoder is loaded"
    rng = random.Random(0)
    some = [item(k, rng, 2) for k in range(items)]
    said = [answer(i, rng) for i in some]
    encoder = load('embedder', encoder); encoder.embed(['Warm.'])
    start, cpu = time.perf_counter(), time.process_time()
    vectors = Vectors(encoder, folder=folder)
    scores = score({i.id: i for i in some}, said, vectors)
    seconds = time.perf_counter() - start
    print(f'{items:,} items x 4 similarities with {encoder.name}, {label}: {seconds:.2f} s ({time.process_time()-cpu:.2f} s of CPU), {5*items/seconds:,.0f} texts a second, peak {peak():.2f} GiB')
    start = time.perf_counter(); lines = shares(scores); print(f'  the table with its intervals: {time.perf_counter()-start:.2f} s, right {lines[0]["right"]:.1%}')


def write(items, folder):
    "A large benchmark on disk, with captions and chains, a file at a time"
    rng = random.Random(1)
    for a in range(0, items, 5000): write_parquet(Path(folder)/f'part-{a//5000:05}.parquet', [item(k, rng, 8) for k in range(a, min(a+5000, items))], BenchmarkItem)


def large(items, folder):
    "Read it and score it, controls and sweep included"
    start, rng = time.perf_counter(), random.Random(2)
    known = bare_items(folder)
    print(f'{len(known):,} items read without their captions: {time.perf_counter()-start:.0f} s ({time.process_time():.0f} s of CPU so far), peak {peak():.2f} GiB')
    start, said, vectors = time.perf_counter(), [answer(i, rng) for i in known], Vectors(Hashed())
    scores = score({i.id: i for i in known}, said, vectors)
    print(f'{len(scores):,} items scored, {len(vectors.row):,} texts: {time.perf_counter()-start:.0f} s ({time.process_time():.0f} s of CPU so far), peak {peak():.2f} GiB')
    start = time.perf_counter(); lines = shares(scores, 1000) + control_shares(known, vectors); bars = sweep(scores)
    print(f'intervals, controls and a sweep: {time.perf_counter()-start:.0f} s ({time.process_time():.0f} s of CPU so far), peak {peak():.2f} GiB, bars {len(bars)}')
    print(share_table(lines))


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--items', type=int, default=1382); p.add_argument('--large', type=int, default=200_000); p.add_argument('--encoder', default='offline')
    p.add_argument('--part', help=argparse.SUPPRESS); p.add_argument('--folder', help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.part == 'texts': return small(a.items, a.encoder, a.folder, 'from texts')
    if a.part == 'vectors': return small(a.items, a.encoder, a.folder, 'from kept vectors')
    if a.part == 'write': return write(a.large, a.folder)
    if a.part == 'large': return large(a.large, a.folder)
    with tempfile.TemporaryDirectory() as folder:
        for part, place in ('texts', 'vectors'), ('vectors', 'vectors'), ('write', 'items'), ('large', 'items'):
            if not (a.items if place == 'vectors' else a.large): continue
            subprocess.run([sys.executable, __file__, '--part', part, '--folder', str(Path(folder)/place), '--items', str(a.items), '--large', str(a.large), '--encoder', a.encoder], check=True, env={**os.environ, 'PYTHONHASHSEED': '0'})


if __name__ == '__main__': main()
