"""How well evidence is grounded, measured on the sample world, of which everything is known.

    python benchmarks/grounding.py [clips]

Clips are drawn, captioned by their own script (`truth`), and go through dedup, qa, cot and benchmark with the offline models.
"""
import asyncio, json, sys, tempfile
from collections import Counter
from pathlib import Path
import numpy as np
from espresso.offline.annotator_cot import carriers
from espresso.contracts import load
from espresso.offline.facts import Line, read_facts
from espresso.dataset.benchmark import benchmark, split_of, tokens
from espresso.dataset.cot import EVIDENCE_SCHEMA, annotate, evidence_prompt, ground, opener
from espresso.dataset.dedup import dedup, threshold
from espresso.dataset.qa import group_captions, write_pairs
from espresso.records import BenchmarkItem, Caption, Drop, Evidence, Video
from espresso.video import read_frames
from espresso.world.render import render


class Remembering:
    "An embedder that embeds each text once"
    def __init__(self, inner): self.inner, self.name, self.known = inner, inner.name, {}
    def embed(self, texts):
        new = [t for t in dict.fromkeys(texts) if t not in self.known]
        self.known.update(zip(new, self.inner.embed(new)))
        return np.stack([self.known[t] for t in texts])


def captions_of(path, captioner, video_id, step=.5):
    seconds = json.loads(path.with_suffix('.truth.json').read_text())['seconds']
    pictures = read_frames(path, np.arange(0, seconds-.2, step).tolist(), width=64, video_id=video_id)
    return tuple(Caption(p.frame, t, captioner.name) for p, t in zip(pictures, captioner.caption(path, pictures)))


def overlap(a, b):
    w, h = min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
    both = max(w, 0)*max(h, 0)
    return both/((a[2]-a[0])*(a[3]-a[1]) + (b[2]-b[0])*(b[3]-b[1]) - both)


def grounded(core, wanted, truth):
    "Each frame lies where every fact it was chosen for holds, and frames stand in the order of the facts"
    spans = {f['sentence']: f['spans'] for f in truth['facts']}
    facts = list(wanted.values())
    if len(core) != len(facts): return False
    def holds(c, f): return any(a-.26 <= c.frame.time_s < b+.26 for a, b in spans.get(f.sentence, []))
    return all(holds(c, f) for c, fs in zip(core, facts) for f in fs)


async def main(clips):
    folder = Path(tempfile.mkdtemp())
    paths = render(folder, clips, seed=7)
    captioner, encoder = load('captioner', 'truth'), Remembering(load('embedder', 'offline'))
    chat, finder, matcher = load('chat', 'offline'), load('detector', 'offline'), load('matcher', 'offline')
    see = opener([Video(p.stem, p.name, 'world', 1., 8., 1, 1, 1, '') for p in paths], folder)
    truths = {p.stem: json.loads(p.with_suffix('.truth.json').read_text()) for p in paths}
    kept = [c for p in paths for c in dedup(captions_of(p, captioner, p.stem), encoder, threshold(encoder.name)) if isinstance(c, Caption)]
    pairs = [x for g in group_captions(kept) for x in await write_pairs(g, chat, chat) if not isinstance(x, Drop)]
    chains = [await annotate(q, chat, encoder, finder, matcher, see) for q in pairs]
    good = [e for e in chains if isinstance(e, Evidence)]

    hits, plain, ordered, strict, recall = [], [], [], [], []
    for e in good:
        lines = tuple(Line(k, c.frame.time_s, c.text) for k, c in enumerate(e.qa.group.captions))
        wanted, truth = carriers(read_facts(lines), e.qa.question, e.qa.answer), truths[e.qa.group.video_id]
        hits.append(grounded(e.core, wanted, truth))
        said = (await chat.ask(evidence_prompt(e.qa), EVIDENCE_SCHEMA)).data['captions']
        bare = [s.split(' s ', 1)[1] for s in said]
        for results, core in (plain, [ground([s], e.qa.group, encoder)[0] for s in bare]), (ordered, ground(bare, e.qa.group, encoder)):
            results.append(None not in core and grounded(sorted(set(core), key=lambda c: c.frame.time_s), wanted, truth))
        strict.append(set(e.core) == set(e.qa.cited)); recall += [c in e.core for c in e.qa.cited]

    overlaps, absent = [], 0
    for i in (i for e in good for i in e.items):
        boxes = min(truths[i.frame.video_id]['frames'], key=lambda f: abs(f['time'] - i.frame.time_s))['boxes']
        if i.name in boxes: overlaps.append((i.box is not None, overlap(i.box, boxes[i.name]) if i.box else 0.))
        else: absent += i.box is not None
    items = [await benchmark(e, chat, test_share=1.) for e in good]
    rows = [r for r in items if isinstance(r, BenchmarkItem)]
    gaps = [len(tokens(o)) - len(tokens(r.evidence.qa.answer)) for r in rows for k, o in enumerate(r.options) if k != r.correct]
    sides = {}
    for e in good: sides.setdefault(e.qa.group.video_id, set()).add(split_of(e.qa.group.video_id))
    have, ious = [f for f, _ in overlaps], np.array([o for _, o in overlaps])
    share = lambda xs: f'{100*np.mean(xs):.1f} %'
    for name, value, goal in [
        ('clips, kept captions, questions, chains', f'{clips}, {len(kept)}, {len(pairs)}, {len(good)}', ''),
        ('drops', dict(Counter(d.reason for d in [*chains, *items] if isinstance(d, Drop))) or 'none', ''),
        ('core frames where their facts hold, in order', share(hits), '>= 95 %'),
        ('  the same by eq. 3 alone, no time, no order', share(plain), ''),
        ('  the same with order and without time', share(ordered), ''),
        ('  exactly the frames the question cites', share(strict), ''),
        ('  cited frames that are core frames', share(recall), ''),
        ('chains with two core frames or more', share([len(e.core) > 1 for e in good]), '100 %'),
        ('visible key items with IoU >= 0.5', f'{share(ious >= .5)} of {len(ious)}', '>= 70 %'),
        ('  visible key items with a box', share(have), ''),
        ('  boxes of things that are not in view', absent, ''),
        ('videos on both sides of the split', sum(len(s) > 1 for s in sides.values()), '0'),
        ('distractors within 10 tokens of the answer', f'{share([abs(g) <= 10 for g in gaps])} of {len(gaps)}', '>= 95 %'),
        ('tasks', ', '.join(f'{t} {n}' for t, n in Counter(r.task for r in rows).most_common()), ''),
    ]: print(f'{name:48} {value!s:24} {goal}')
    return rows


if __name__ == '__main__':
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 24))
