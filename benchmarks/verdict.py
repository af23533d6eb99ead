"""Yes or no: does a small language model learn it sooner when it first says what it knows?

    python benchmarks/verdict.py [--reader 1500] [--steps 400] [--seed 0]

A new language model of the size of nano/base first learns to read: plain questions over texts and over nonsense, none that asks for yes or no. Two copies of it go on, half of the steps with such reading, half with questions whether something is so: one copy replies with yes or no alone, the other says first what the text says of the thing (`espresso.nano.texts.true`).
Then both are asked 300 such questions over texts of another world. The reply must be right in every word; those to be answered with yes and with no are counted apart, since whoever always says yes is right in most.
"""
import argparse, copy, random
import torch
from espresso.nano.base import _over, raise_model, samples_for
from espresso.nano.texts import BARE, bare_question, nonsense, sayings, story, true
from espresso.nano.toy import build, exact
from espresso.nano.words import tokenizer, world_texts
from espresso.world.render import make_scene

LEARN, UNSEEN = 1000, 0
KNOWN = sayings(400, LEARN)

def asked(world, first, rng, turns, kinds=(true,)):
    scene = make_scene(rng.randint(0, 20000 if world == LEARN else 400), world)
    text, facts = nonsense(*KNOWN, rng) if world == LEARN and rng.random() < .5 else story(scene, rng)
    done = [bare_question(facts, rng, kinds)[1:] for _ in range(turns)]
    if not first: done = [(q, a.split()[-1]) for q, a in done]
    return _over(text, done)

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--reader', type=int, default=1500); p.add_argument('--steps', type=int, default=400); p.add_argument('--seed', type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1); torch.manual_seed(a.seed)
    tok = tokenizer(*world_texts(1200)); others = tuple(k for k in BARE if k is not true)
    def read(rng): return asked(LEARN, True, rng, 8, others)
    model, echo = build(tok), samples_for(tok, [], (0, 20000), LEARN)['echo']
    raise_model(model, tok, [(.1, 16, echo), (.9, 8, read)], a.reader, a.seed, name='reader')
    for first in False, True:
        one = copy.deepcopy(model)
        raise_model(one, tok, [(.5, 8, lambda rng: asked(LEARN, first, rng, 8)), (.5, 8, read)], a.steps, a.seed, name='verdict', pace=.7)
        rng = random.Random(1); tests = [asked(UNSEEN, first, rng, 1) for _ in range(300)]
        right, yes = exact(one, tok, tests), [t[0][0][1].endswith('Yes.') for t in tests]
        shares = {name: [r for r, y in zip(right, yes) if y == wanted] for name, wanted in (('yes', True), ('no', False))}
        print(f'{"what is said, then yes or no" if first else "yes or no"}, {a.steps} steps: ' + ', '.join(f'{100*sum(v)/len(v):.0f} % of {len(v)} {name}' for name, v in shares.items()))

if __name__ == '__main__': main()
