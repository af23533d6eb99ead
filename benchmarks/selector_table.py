"""All strategies in one table: how well they find the core frames of the sample world, and what they cost in all.

    python benchmarks/selector_table.py [--questions 300] [--seeds 3] [--steps 600] [--fps 2] [--budget 'frames<=4'] [--captioner truth] [--viewer local:nano/labels] [--reasoner nano/base] [--out outputs/selector]

Clips of 8 to 60 s are rendered, and questions about them are asked in wordings that tuning never saw. For each seed the small language model is tuned anew on captions of another world (`selector.training`), and the strategies that draw by chance draw anew.
With `--captioner truth` every frame is described as the clip's script does, and each description is priced as one by `--price`, whose operations are counted on frames of the clips. With `--reasoner` each selection is answered too, and the answer is right when it lies
nearer to the reference than to every distractor and within 0.8 of it (Algorithm 1, by MiniLM).

Printed for each strategy: F1, precision and recall within 0.5 s, with 95 % intervals over clips; frames; operations of a question when a clip has one, and eight; the same work in the paper's models; seconds. `--out` also gets `rows.jsonl`, a line for each question, and `table.png`, F1 (and accuracy) against total cost.
A toy run: --questions 12 --seeds 1 --steps 10.
"""
import argparse, json, random, shutil, sys, tempfile, time
from pathlib import Path
import numpy as np, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from espresso.backends.viewing import PrefixReader
from espresso.backends.weights import model_folder
from espresso.contracts import load
from espresso.nano.selector import kept
from espresso.selector.budget import Limit
from espresso.selector.handover import pictures
from espresso.selector.index import Cost, Index
from espresso.evaluation.stats import interval
from espresso.selector.measures import TOLERANCES, agreement, amortised, at_full_size
from espresso.selector.select import STRATEGIES, select
from espresso.selector.training import Case, tune
from espresso.world.render import make_scene, render_one

LEARN, TEST, LENGTH = 1000, 7, (8, 60)

def cases(scenes):
    "Questions of the world to learn from"
    found, n = [], 0
    while len(found) < 8*scenes:
        s, rng = make_scene(n, LEARN, LENGTH), random.Random(n); n += 1
        if s.split != 'train': continue
        s.boxes = lambda t: {}
        captions = tuple(kept(s, rng.choice((1, 2))))
        found += [Case(q.question, captions, tuple((c.start, c.end) for c in q.core)) for q in s.questions()]
    return found

def clips(folder, questions):
    "Rendered clips of the test split, with questions about them"
    found, n, asked = [], 0, 0
    while asked < questions:
        s = make_scene(n, TEST, LENGTH)
        if s.split == 'test':
            path = folder/f'world-{n:03d}.mp4'
            if not path.with_suffix('.truth.json').exists(): render_one(folder, n, TEST, seconds=LENGTH)
            qs = json.loads(path.with_suffix('.truth.json').read_text())['questions'][:questions - asked]
            asked += len(qs); found.append((path, qs))
        n += 1
    return found

def tuned(steps, seed, scenes):
    "The nano selector, taught to weigh too"
    folder = model_folder('nano/selector')
    model, tok = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(seed)
    losses = tune(model, tok, cases(scenes), steps, seed=seed)
    print(f'seed {seed}: tuned for {steps} steps, loss {np.mean(losses[:10]):.2f} to {np.mean(losses[-10:]):.2f}', flush=True)
    return PrefixReader(f'nano/selector tuned {seed}', model, tok)

def price_of(spec, path):
    "Operations of one description"
    index = Index(path, tempfile.mkdtemp(), captioner=spec)
    index.captions([0, len(index)//2])
    return index.meter.prices['captioned']

def answered(r, index, chosen, q, embedder):
    "Whether a reasoner behind the selection is right"
    from espresso.reasoner.inference import answer
    from espresso.reasoner.model import Ask
    p = answer(r, [Ask(q['question'], tuple(pictures(index, chosen)))], limits=(96, 24))[0]
    v = embedder.embed([p.answer or '-', q['answer'], *q['distractors']])
    s = v[1:] @ v[0]
    return bool(s[0] >= .8 and s[0] > s[1:].max()), p.flops, p.prompt_tokens

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name, value in dict(questions=300, seeds=3, steps=600, scenes=400).items(): p.add_argument(f'--{name}', type=int, default=value)
    p.add_argument('--fps', type=float, default=2.)
    for name, value in dict(budget='frames<=4', captioner='truth', price='local:nano/base', viewer='local:nano/labels', reasoner='', only='', out='outputs/selector').items(): p.add_argument(f'--{name}', default=value)
    a = p.parse_args()
    out = Path(a.out); (out/'clips').mkdir(parents=True, exist_ok=True)
    names = a.only.split(',') if a.only else ['uniform', 'every', 'chance', 'caption_top', 'caption_mmr', 'image_top', 'image_mmr', 'image_dpp', 'bolt', 'aks', 'focus', 'picks', 'weighed', 'ours', 'oracle']
    world, rows = clips(out/'clips', a.questions), []
    price = price_of(a.price, world[0][0]) if a.captioner == 'truth' else None
    viewer, embedder = load('viewer', a.viewer), load('embedder', 'offline')
    embedder.embed(['a first text']); captioner = load('captioner', a.captioner)
    reasoner = None
    if a.reasoner:
        from espresso.reasoner.model import reasoner as open_reasoner
        reasoner = open_reasoner(a.reasoner)
    for seed in range(a.seeds):
        reader = tuned(a.steps, seed, a.scenes)
        for path, questions in world:
            plain = Path(tempfile.mkdtemp())
            Index(path, plain/'index', fps=a.fps)
            for name in names:
                shutil.copytree(plain/'index', plain/name)
                index = Index(path, plain/name, fps=a.fps, captioner=captioner, embedder=embedder, viewer=viewer, reader=reader)
                if price is not None: index.meter.prices['captioned'] = price
                costs = []
                for q in questions:
                    core = [(c['start'], c['end']) for c in q['core']]
                    how = dict(core=core) if name == 'oracle' else dict(seed=seed) if name in ('chance', 'focus') else {}
                    s = select(index, q['question'], a.budget, name, **how)
                    read = int((~np.isnan(s.scores)).sum()) if name in ('weighed', 'ours') else len(index) if name == 'picks' else 0
                    costs.append(s.cost)
                    row = dict(strategy=name, seed=seed, video=path.stem, question=q['question'], task=q['task'], frames=len(s.frames), times=s.times, fell=s.fell_back, read=read,
                               full=at_full_size(s.cost, read, len(s.frames)), flops=s.cost.flops, seconds=s.cost.seconds, captioned=s.cost.captioned, first=len(costs) == 1,
                               **{f'{k}@{t:g}': v for t in TOLERANCES for k, v in agreement(s.times, core, t).items()})
                    if reasoner: row['right'], row['answer_flops'], row['tokens'] = answered(reasoner, index, s, q, embedder)
                    rows.append(row)
            shutil.rmtree(plain)
        (out/'rows.jsonl').write_text(''.join(json.dumps(r) + '\n' for r in rows))
    table(rows, names, bool(reasoner)); draw(rows, names, out/'table.png', bool(reasoner))

def table(rows, names, answers):
    "Print what was found"
    print(f'\n{len({(r["video"], r["question"]) for r in rows})} questions, {len({r["video"] for r in rows})} clips, {len({r["seed"] for r in rows})} seeds')
    print(f'{"strategy":12} {"F1 @0.5 s":20} {"P":>5} {"R":>5} {"F1@0":>5} {"F1@2":>5} {"frames":>6} {"GFLOP, 1 question":>17} {"8":>7} {"TFLOP at full size":>18} {"8":>6} {"s, 1":>7} {"fell":>5}' + ('  right' if answers else ''))
    for name in names:
        own = [r for r in rows if r['strategy'] == name]
        i = interval([r['f1@0.5'] for r in own], [r['video'] for r in own])
        m, low, high = i.value, i.low, i.high
        def mean(k, of=own): return float(np.mean([r[k] for r in of]))
        one = [r for r in own if r['first']]
        more = [r for r in own if not r['first']] or one
        def eight(k): return (mean(k, one) + 7*mean(k, more))/8
        line = f'{name:12} {m:.3f} ({low:.3f}, {high:.3f}) {mean("precision@0.5"):5.2f} {mean("recall@0.5"):5.2f} {mean("f1@0"):5.2f} {mean("f1@2"):5.2f} {mean("frames"):6.2f} {mean("flops", one)/1e9:17.2f} {eight("flops")/1e9:7.2f} {mean("full", one)/1e12:18.1f} {eight("full")/1e12:6.1f} {mean("seconds", one):7.3f} {mean("fell"):5.2f}'
        if answers: line += f"  {interval([r['right'] for r in own], [r['video'] for r in own])}"
        print(line)

def draw(rows, names, file, answers):
    "F1, or accuracy, against total cost at one question and at eight"
    from matplotlib import pyplot as plt
    fig, axs = plt.subplots(1, 1 + answers, figsize=(6 + 5*answers, 4), layout='constrained', squeeze=False)
    for ax, key in zip(axs[0], ('f1@0.5', 'right')):
        for name in names:
            own = [r for r in rows if r['strategy'] == name]; one = [r for r in own if r['first']]; more = [r for r in own if not r['first']] or one
            i = interval([r[key] for r in own], [r['video'] for r in own])
            m, low, high = i.value, i.low, i.high
            x = [np.mean([r['full'] for r in one])/1e12, (np.mean([r['full'] for r in one]) + 7*np.mean([r['full'] for r in more]))/8e12]
            ax.plot(x, [m, m], '-', lw=1, color='.7'); ax.errorbar(x[0], m, [[m - low], [high - m]], fmt='o', ms=4); ax.annotate(name, (x[0], m), fontsize=7, xytext=(3, 3), textcoords='offset points')
        ax.set(xscale='log', xlabel='TFLOP of a question in all, at full size (grey: down to eight questions)', ylabel='accuracy' if key == 'right' else 'F1 within 0.5 s')
    fig.savefig(file, dpi=130)

if __name__ == '__main__': main()
