"""Eight questions about one video beside one: the index is shared, and the captions are read once.

    python benchmarks/selector_questions.py [--strategy picks] [--questions 8] [--seconds 40] [--fps 2] [--rounds 5] [--captioner local:nano/base] [--viewer local:nano/viewer]

A clip of the sample world, described by --captioner, picked from by nano/selector. Models are loaded and warm before the clock starts. Every round makes a new index, and asks one question; then a new index again, and asks eight. Medians over the rounds, by the clock and of this process's own time, which others on the machine do not lengthen; beside them what eight questions cost when every one reads all captions anew.
"""
import argparse, statistics, tempfile, time
from pathlib import Path
from espresso.contracts import load
from espresso.selector.index import Index
from espresso.selector.select import select
from espresso.world.render import make_scene, render_one

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--strategy', default='picks'); p.add_argument('--captioner', default='local:nano/base'); p.add_argument('--viewer', default='local:nano/viewer')
    p.add_argument('--questions', type=int, default=8); p.add_argument('--rounds', type=int, default=5); p.add_argument('--seconds', type=float, default=40.); p.add_argument('--fps', type=float, default=2.)
    a = p.parse_args()
    folder, number = Path(tempfile.mkdtemp()), next(n for n in range(200) if len(make_scene(n, 3, (a.seconds, a.seconds)).questions()) >= a.questions)
    path, asked = render_one(folder, number, 3, seconds=(a.seconds, a.seconds)), [q.question for q in make_scene(number, 3, (a.seconds, a.seconds)).questions()][:a.questions]
    models = dict(captioner=load('captioner', a.captioner), viewer=load('viewer', a.viewer), reader=load('reader', 'local:nano/selector'))
    def run(questions, forget=False):
        start, own, index = time.perf_counter(), time.process_time(), Index(path, tempfile.mkdtemp(), fps=a.fps, **models)
        for q in questions:
            select(index, q, 'frames<=4', a.strategy)
            if forget: index.memories.clear()
        return time.perf_counter() - start, time.process_time() - own, index.meter.spent
    run(asked[:1])
    ways = {'one question': lambda: run(asked[:1]), f'{len(asked)} questions': lambda: run(asked), f'{len(asked)}, captions read anew each time': lambda: run(asked, True)}
    times = {w: [] for w in ways}
    for _ in range(a.rounds):
        for w, go in ways.items(): times[w].append(go())
    one, own = (statistics.median(t[k] for t in times['one question']) for k in (0, 1))
    print(f'{a.strategy}, clip of {a.seconds:g} s, {a.rounds} rounds')
    for w, found in times.items():
        c = found[-1][2]; mid, mine = (statistics.median(t[k] for t in found) for k in (0, 1))
        print(f'{w:38} median {mid:7.3f} s, {mid/one:.2f} times one question; own time {mine:7.3f} s, {mine/own:.2f} times; {c.flops/1e9:8.2f} GFLOP, {c.captioned} frames described, {c.asked} questions')

if __name__ == '__main__': main()
