"""All strategies in one table: how well they find the core frames of the sample world, and what they cost in all.

    python benchmarks/selector_table.py [--questions 300] [--seeds 3] [--steps 10] [--fps 2] [--budget 'frames<=4'] [--price local:nano/base] [--viewer local:nano/viewer] [--reasoner nano/base --adapters DIR,DIR,DIR] [--curve] [--out outputs/selector]

Clips of 8 to 60 s are rendered, two frames a second, and questions about them are asked in wordings of the test split. For each seed nano/selector is tuned on (`selector.training`), on captions of another world, and whatever draws by chance draws anew; strategies that do neither run once.
Frames are described as the clips' script does, and each description is priced as one by `--price`, whose operations are counted on frames of the clips.

A clip is looked at, described and embedded once for all strategies, and each strategy is charged for what it asks for as if it were the first to ask: operations, and seconds at the pace of making them all. What a language model reads is read anew for each.

Printed for each strategy: F1, precision and recall within 0.5 s, with 95 % intervals over clips; frames; operations of selecting for a question when its clip has one, and eight; the same in the paper's models; seconds. Then ours beside the paper's, question by question, and, for the first seed, both at smaller and larger budgets (`--curve`): `picks of k` describes k frames evenly spread, `ours f` looks at f√n of n frames, `ours in k` may choose k frames at most, and `unseen f` is ours without looks, with f√n frames described and weighed.
With `--reasoner`, perhaps under each of several `--adapters` (their mean is taken), the first seed's selections of the strategies in `ANSWERED` are answered too; the answer is right when it lies nearer to the reference than to every distractor and within 0.8 of it (Algorithm 1, by MiniLM).
`--out` gets `rows.jsonl`, a line for each question: what stands there is not done again. And `table.png`. A toy run: --questions 12 --seeds 1 --steps 4.
"""
import argparse, json, random, shutil, tempfile, time
from pathlib import Path
import numpy as np, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from espresso.backends.viewing import PrefixReader
from espresso.backends.weights import model_folder
from espresso.contracts import load
from espresso.evaluation.objective import Vectors, algorithm1, similarities
from espresso.evaluation.stats import interval
from espresso.nano.selector import kept
from espresso.reasoner.inference import answer
from espresso.reasoner.model import Ask, reasoner
from espresso.selector.handover import pictures
from espresso.selector.index import Cost, Index, Meter
from espresso.selector.measures import TOLERANCES, agreement, at_full_size
from espresso.selector.reading import picks
from espresso.selector.select import STRATEGIES, select
from espresso.selector.shortlist import ours
from espresso.selector.training import Case, tune
from espresso.world.render import make_scene, render_one

LEARN, TEST, LENGTH = 1000, 7, (8, 60)
DRAWN, TUNED = ('chance', 'focus'), ('picks', 'weighed')
CURVE = {**{f'picks of {k}': ('picks', dict(captions=k)) for k in (3, 5, 8, 12, 20, 36)},
         **{f'ours {f:g}': ('ours', dict(look=f)) for f in (.5, .75, 1, 1.5, 2, 6, 12)}, **{f'ours in {k}': ('ours', dict(budget=f'frames<={k}')) for k in (1, 2, 3)}, **{f'unseen {f:g}': ('ours', dict(look=0, factor=f)) for f in (.5, 1, 1.5, 3)}}
ANSWERED = ('uniform', 'picks', 'picks of 3', 'picks of 8', 'picks of 20', 'ours', 'ours 0.5', 'ours 1', 'ours in 1', 'ours in 2', 'ours in 3', 'oracle')

class Charged(Index):
    "An index of which all is known, and which charges for what is asked as if it were not"
    def __init__(self, whole, price, reader):
        self.__dict__.update(whole.__dict__)
        self.vectors, self.said, self.meanings = whole.seen(), whole.captions(), whole.words()
        self.meter, self.memories, self.paid = Meter(), {}, set()
        self._given, self._open = whole._given | dict(reader=reader), {k: m for k, m in whole._open.items() if k != 'reader'}
        self.price = {k: (whole.meter.prices[k], whole.meter.pace[k]) for k in ('viewed', 'embedded')} | dict(captioned=price)
    def charge(self, kind, asked):
        new = {(kind, k) for k in asked} - self.paid
        self.paid |= new; flops, seconds = self.price[kind]
        self.meter.spent += Cost(flops*len(new), seconds*len(new), **{kind: len(new)})
    def all_of(self, ks): return range(len(self)) if ks is None else [int(k) for k in ks]
    def seen(self, ks=None): ks = self.all_of(ks); self.charge('viewed', ks); return self.vectors[list(ks)]
    def captions(self, ks=None): ks = self.all_of(ks); self.charge('captioned', ks); return [self.said[k] for k in ks]
    def words(self, ks=None): ks = self.all_of(ks); self.charge('embedded', self.captions(ks)); return self.meanings[list(ks)]
    def knows(self, kind, k): return (kind, k) in self.paid
    def read(self): return sum(len(what) for who, what in self.memories if who != 'differing')

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
            if not path.with_suffix('.truth.json').exists(): render_one(folder, n, TEST, fps=2, seconds=LENGTH, width=160)
            qs = json.loads(path.with_suffix('.truth.json').read_text())['questions'][:questions - asked]
            asked += len(qs); found.append((path, qs))
        n += 1
    return found

def tuned(steps, seed, scenes, folder):
    "The nano selector, tuned on; kept in a folder"
    if not (folder/'config.json').exists():
        start, source = time.perf_counter(), model_folder('nano/selector')
        model, tok = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32), AutoTokenizer.from_pretrained(source)
        torch.manual_seed(seed)
        losses = tune(model, tok, cases(scenes), steps, rate=1e-4, seed=seed)
        print(f'seed {seed}: tuned for {steps} steps in {time.perf_counter()-start:.0f} s, loss {np.mean(losses[:10]):.2f} to {np.mean(losses[-10:]):.2f}', flush=True)
        tok.save_pretrained(folder); model.save_pretrained(folder)
    return PrefixReader(f'nano/selector tuned {seed}', AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder))

def price_of(spec, path):
    "Operations and seconds of one description"
    index = Index(path, tempfile.mkdtemp(), captioner=spec)
    for ks in [0, len(index)//2], [1, len(index)//2 + 1]: index.captions(ks) # the second time all is loaded
    return index.meter.prices['captioned'], index.meter.pace['captioned']

def answered(reasoners, index, chosen, questions, vectors):
    "For each number of a question and selection: how many of the reasoners are right behind it, as a share, and operations"
    once = {(n, c.places): Ask(questions[n]['question'], tuple(pictures(index, c))) for n, c in chosen}
    options = [[questions[n]['answer'], *questions[n]['distractors']] for n, _ in once]
    told = [answer(r, list(once.values()), 32, limits=(160, 64)) for r in reasoners]
    right = [[algorithm1(s[0], s[1:]) == 'right' for s in similarities([p.answer for p in ps], options, vectors)] for ps in told]
    return dict(zip(once, zip(np.mean(right, 0).tolist(), np.mean([[p.flops for p in ps] for ps in told], 0).tolist())))

def one_clip(a, path, questions, wanted, readers, price, models, reasoners):
    "Rows of a clip"
    home = Path(tempfile.mkdtemp())
    whole = Index(path, home/'index', fps=a.fps, **models)
    rows, shown = [], []
    for seed, label, name, how in wanted:
        index = Charged(whole, price, readers[seed])
        for i, q in enumerate(questions):
            core, read = [(c['start'], c['end']) for c in q['core']], index.read()
            s = select(index, q['question'], how.get('budget', a.budget), name, **{k: v for k, v in how.items() if k != 'budget'}, **(dict(core=core) if name == 'oracle' else dict(seed=seed) if name in DRAWN else {}))
            row = dict(strategy=label, seed=seed, video=path.stem, number=i, question=q['question'], task=q['task'], wording=q['split_form'], frames=len(s.frames), times=s.times, fell=s.fell_back, flops=s.cost.flops, seconds=s.cost.seconds,
                       captioned=s.cost.captioned, viewed=s.cost.viewed, full=at_full_size(s.cost, index.read() - read), **{f'{k}@{t:g}': v for t in TOLERANCES for k, v in agreement(s.times, core, t).items()})
            row['all'] = row['recall@0.5'] == 1.
            if reasoners and not seed and label in ANSWERED: shown.append((row, i, s))
            rows.append(row)
    found = answered(reasoners, whole, [x[1:] for x in shown], questions, Vectors(models['embedder'])) if shown else {}
    for row, i, s in shown: row['right'], row['answer_flops'] = found[i, s.places]
    shutil.rmtree(home)
    return rows

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name, value in dict(questions=300, seeds=3, steps=10, scenes=200).items(): p.add_argument(f'--{name}', type=int, default=value)
    p.add_argument('--fps', type=float, default=2.); p.add_argument('--curve', action='store_true')
    for name, value in dict(budget='frames<=4', price='local:nano/base', viewer='local:nano/viewer', reasoner='', adapters='', only='', out='outputs/selector').items(): p.add_argument(f'--{name}', default=value)
    a = p.parse_args()
    out, start = Path(a.out), time.perf_counter(); (out/'clips').mkdir(parents=True, exist_ok=True)
    plain = a.only.split(',') if a.only else ['uniform', 'every', 'chance', 'caption_top', 'caption_mmr', 'image_top', 'image_mmr', 'image_dpp', 'bolt', 'aks', 'focus', 'picks', 'weighed', 'ours', 'oracle']
    names = {n: (n, {}) for n in plain} | (CURVE if a.curve else {})
    set_by, kept_at = {k: v for k, v in vars(a).items() if k not in ('out', 'questions', 'seeds', 'only', 'curve')}, out/'settings.json'
    if kept_at.exists() and json.loads(kept_at.read_text()) != set_by: raise SystemExit(f'{out} holds rows made with other settings: name another folder with --out')
    kept_at.write_text(json.dumps(set_by))
    file = out/'rows.jsonl'; rows = [json.loads(l) for l in file.read_text().splitlines()] if file.exists() else []
    world = clips(out/'clips', a.questions); print(f'{len(world)} clips after {time.perf_counter()-start:.0f} s', flush=True)
    done, readers = {(r['video'], r['seed'], r['strategy']) for r in rows}, [tuned(a.steps, s, a.scenes, out/f'reader-{s}') for s in range(a.seeds)]
    models = dict(captioner='truth', viewer=load('viewer', a.viewer), embedder=load('embedder', 'offline'))
    models['embedder'].embed(['a first text']); models['viewer'].read(['a first text'])
    price, reasoners = price_of(a.price, world[0][0]), [reasoner(a.reasoner, adapter=d) for d in a.adapters.split(',')] if a.reasoner else []
    start = time.perf_counter()
    for i, (path, questions) in enumerate(world):
        wanted = [(s, label, name, how) for s in range(a.seeds) for label, (name, how) in names.items() if (not s or name in DRAWN + TUNED and label not in CURVE) and (path.stem, s, label) not in done]
        if not wanted: continue
        new = one_clip(a, path, questions, wanted, readers, price, models, reasoners)
        rows += new
        with file.open('a') as f: f.write(''.join(json.dumps(r) + '\n' for r in new))
        print(f'\r{i+1} of {len(world)} clips, {time.perf_counter()-start:.0f} s', end='', flush=True)
    rows = [r for r in rows if r['seed'] < a.seeds and r['video'] in {p.stem for p, _ in world}]
    table(rows, plain, bool(reasoners))
    if {'ours', 'picks'} <= names.keys(): beside(rows)
    if a.curve: curve(rows)
    if reasoners: accuracy(rows)
    draw(rows, plain, out/'table.png', a.curve, bool(reasoners))

def costs(rows, key):
    "Of a question when its clip has one, and eight: mean over clips and seeds"
    first, more = [r[key] for r in rows if not r['number']], [r[key] for r in rows if r['number']]
    return np.mean(first), (np.mean(first) + 7*np.mean(more or first))/8

def over(rows, key): return interval([float(r[key]) for r in rows], [r['video'] for r in rows])

def table(rows, names, answers):
    "Print what was found"
    print(f'\n{len({(r["video"], r["question"]) for r in rows})} questions, {len({r["video"] for r in rows})} clips, {len({r["seed"] for r in rows})} seeds; costs are of selecting alone')
    print(f'{"strategy":12} {"F1 @0.5 s":20} {"P":>5} {"R":>5} {"F1@0":>5} {"F1@2":>5} {"all":>5} {"frames":>6} {"looked at":>9} {"described":>9} {"GFLOP, 1 question":>17} {"8":>7} {"TFLOP at full size":>18} {"8":>6} {"s, 1":>7} {"8":>6} {"fell":>5}' + ('  right' if answers else ''))
    for name in names:
        own = [r for r in rows if r['strategy'] == name]
        def mean(k): return float(np.mean([r[k] for r in own]))
        (flops, flops8), (full, full8), (secs, secs8) = (costs(own, k) for k in ('flops', 'full', 'seconds'))
        i = over(own, 'f1@0.5')
        print(f'{name:12} {i.value:.3f} ({i.low:.3f}, {i.high:.3f}) {mean("precision@0.5"):5.2f} {mean("recall@0.5"):5.2f} {mean("f1@0"):5.2f} {mean("f1@2"):5.2f} {mean("all"):5.2f} {mean("frames"):6.2f} {costs(own, "viewed")[0]:9.1f} {costs(own, "captioned")[0]:9.1f} {flops/1e9:17.2f} {flops8/1e9:7.2f} {full/1e12:18.1f} {full8/1e12:6.1f} {secs:7.3f} {secs8:6.3f} {mean("fell"):5.2f}'
              + (f'  {over(told, "right")}' if (told := [r for r in own if 'right' in r]) else ''))

def less(rows, one, other, key='f1@0.5'):
    "How much one strategy has more than another, question by question"
    at = {(r['seed'], r['video'], r['number']): r[key] for r in rows if r['strategy'] == other}
    mine = {(r['video'], r['number']): r[key] for r in rows if r['strategy'] == one} # ours draws nothing and tunes nothing: it is the same for every seed
    return interval([float(mine[v, n]) - x for (_, v, n), x in at.items()], [v for _, v, _ in at], share=False)

def beside(rows):
    "Ours and the paper's"
    one, other = [r for r in rows if r['strategy'] == 'ours'], [r for r in rows if r['strategy'] == 'picks']
    for w in '', 'both', 'test':
        i = less([r for r in rows if not w or r['wording'] == w], 'ours', 'picks')
        print(f'F1 of ours less that of picks, the same question and seed{", wordings of " + w if w else ""}: {100*i.value:+.1f} points ({100*i.low:+.1f}, {100*i.high:+.1f})')
    for key, said in dict(flops='measured', full='at full size').items(): print(f'operations of selecting, ours of picks, {said}: {costs(one, key)[0]/costs(other, key)[0]:.1%} at one question, {costs(one, key)[1]/costs(other, key)[1]:.1%} at eight')

def points(rows, kind, key, shown=0.):
    "Name, total cost and rows of a strategy at each budget, the cheapest first"
    found = [(n, [r for r in rows if r['strategy'] == n]) for n in dict.fromkeys(r['strategy'] for r in rows) if n.split()[0] == kind]
    return sorted(((n, costs(own, key)[0] + shown*np.mean([r['frames'] for r in own]), own) for n, own in found), key=lambda x: x[1])

def curve(rows):
    "Ours at no greater cost than the paper's, at every budget of the paper's"
    for key, said, unit, shown in ('flops', 'selecting, measured', 1e9, 0.), ('full', 'selecting and reasoning, at full size', 1e12, 62.78e12/16):
        own = points([r for r in rows if not r['seed']], 'ours', key, shown)
        for n, cost, there in points([r for r in rows if not r['seed']], 'picks', key, shown):
            able = [x for x in own if x[1] <= cost*1.0005]
            line = f'{said}: {n:14} {cost/unit:8.2f} {"GT"[unit > 1e10]}FLOP F1 {np.mean([r["f1@0.5"] for r in there]):.3f}'
            if not able: print(f'{line}; ours has no budget as small'); continue
            best = max(able, key=lambda x: np.mean([r['f1@0.5'] for r in x[2]]))
            i, j = (less([r for r in rows if not r['seed']], best[0], n, k) for k in ('f1@0.5', 'all'))
            print(f'{line}; {best[0]:16} {best[1]/unit:8.2f} F1 {100*i.value:+.1f} points ({100*i.low:+.1f}, {100*i.high:+.1f}), all facts shown {100*j.value:+.1f} ({100*j.low:+.1f}, {100*j.high:+.1f})')

def accuracy(rows):
    "The same for answers: selecting and reasoning, measured here"
    told = [r | dict(whole=r['flops'] + r['answer_flops']) for r in rows if 'right' in r]
    own, theirs = points(told, 'ours', 'whole'), points(told, 'picks', 'whole')
    for name, cost, some in own + theirs: print(f'answers: {name:12} {cost/1e9:6.2f} GFLOP for selecting and reasoning, {np.mean([r["frames"] for r in some]):.2f} frames, right {over(some, "right")}')
    for name, cost, _ in theirs:
        for n in [n for n, c, _ in own if c <= cost*1.0005]: i = less(told, n, name, 'right'); print(f'answers: {n} less {name}: {100*i.value:+.1f} points ({100*i.low:+.1f}, {100*i.high:+.1f})')

def draw(rows, names, file, with_curve, answers):
    "F1, and accuracy, against total cost"
    from matplotlib import pyplot as plt
    panels = [('f1@0.5', 'flops', 1e9, 0., 'F1 within 0.5 s', 'GFLOP of selecting for one question, measured'), ('f1@0.5', 'full', 1e12, 62.78e12/16, 'F1 within 0.5 s', 'TFLOP in all, the paper\'s models')]
    if answers: panels.append(('right', 'full', 1e12, 62.78e12/16, 'accuracy', 'TFLOP in all, the paper\'s models'))
    fig, axs = plt.subplots(1, len(panels), figsize=(5.6*len(panels), 4.2), layout='constrained', squeeze=False)
    for ax, (key, cost, unit, shown, what, x_is) in zip(axs[0], panels):
        some = [r for r in rows if key in r]
        for name in [n for n in names if n not in ('uniform', 'every', 'chance', 'oracle') or shown]:
            if not (own := [r for r in some if r['strategy'] == name]): continue
            x, i = costs(own, cost)[0] + shown*np.mean([r['frames'] for r in own]), over(own, key)
            ax.errorbar(x/unit, i.value, [[max(0, i.value - i.low)], [max(0, i.high - i.value)]], fmt='o', ms=4, color=dict(ours='C3', picks='C0').get(name, '.6')); ax.annotate(name, (x/unit, i.value), fontsize=7, xytext=(3, 3), textcoords='offset points')
        for kind, colour in dict(picks='C0', ours='C3', unseen='C1').items() if with_curve else ():
            xy = [(x/unit, np.mean([r[key] for r in own])) for _, x, own in points([r for r in some if not r['seed']], kind, cost, shown)]
            best = [(x, y) for k, (x, y) in enumerate(xy) if all(y > z for _, z in xy[:k])] # what no smaller budget reaches
            ax.plot(*zip(*best), '.-', ms=5, lw=1, color=colour, zorder=0, label=dict(unseen='ours without looks').get(kind, kind))
        if with_curve: ax.legend(fontsize=7, loc='lower right')
        ax.set(xscale='log', xlabel=x_is, ylabel=what); ax.xaxis.set_minor_formatter('')
    fig.savefig(file, dpi=130)

if __name__ == '__main__': main()
