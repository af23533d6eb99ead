"""Core moments of real clips, found at four frames with nothing but the offline describer and MiniLM, beside uniform and random frames.

    python benchmarks/selector_clips.py FOLDER [--budget frames=4] [--fps 2] [--within 1] [--seeds 200] [--captioner offline]

FOLDER holds clips and `qa.json`: {"questions": [{"id", "file", "question", "core_timestamps"}]}. Printed for each strategy: the share of core moments that have a chosen frame within a second, with a 95 % interval over questions, and the mean over questions. Random frames are drawn many times.
"""
import argparse, json, tempfile
from pathlib import Path
import numpy as np
from espresso.contracts import load
from espresso.selector.index import Index
from espresso.evaluation.stats import interval
from espresso.selector.measures import agreement
from espresso.selector.select import select

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('folder')
    p.add_argument('--budget', default='frames=4'); p.add_argument('--captioner', default='offline')
    p.add_argument('--fps', type=float, default=2.); p.add_argument('--within', type=float, default=1.); p.add_argument('--seeds', type=int, default=200)
    a = p.parse_args()
    questions = json.loads((Path(a.folder)/'qa.json').read_text())['questions']
    captioner, embedder, found = load('captioner', a.captioner), load('embedder', 'offline'), {}
    for file in dict.fromkeys(q['file'] for q in questions):
        index = Index(Path(a.folder)/file, tempfile.mkdtemp(), fps=a.fps, captioner=captioner, embedder=embedder)
        for q in (q for q in questions if q['file'] == file):
            def recall(name, **how): return agreement(select(index, q['question'], a.budget, name, **how).times, q['core_timestamps'], a.within, 0.)['recall']
            for name in 'caption_top', 'caption_mmr', 'ours', 'uniform', 'every': found.setdefault(name, []).append((recall(name), q['id'], len(q['core_timestamps'])))
            found.setdefault('random', []).append((float(np.mean([recall('chance', seed=s) for s in range(a.seeds)])), q['id'], len(q['core_timestamps'])))
            found.setdefault('annotated', []).append((recall('oracle', core=q['core_timestamps']), q['id'], len(q['core_timestamps'])))
        print(f'{file}: {len(index)} frames, {index.meter.spent.captioned} described', flush=True)
    print(f'\nshare of core moments with a frame within {a.within:g} s, {a.budget}, {len(questions)} questions')
    for name in [n for n in found if n != 'uniform']:
        d = interval([a - b for (a, _, _), (b, _, _) in zip(found[name], found['uniform'])], [i for _, i, _ in found[name]], share=False)
        print(f'{name:12} less uniform, question by question: {d.value:+.3f} ({d.low:+.3f}, {d.high:+.3f})')
    for name, rows in found.items():
        i = interval([r for r, _, _ in rows], [i for _, i, _ in rows])
        m, low, high = i.value, i.low, i.high
        print(f'{name:12} {m:.3f} ({low:.3f}, {high:.3f})   of all moments {sum(r*n for r, _, n in rows)/sum(n for *_, n in rows):.3f}')

if __name__ == '__main__': main()
