"""How long `make nano` takes on this machine, told before it is begun, and the least that it could take.

    make nano-minutes

Two processes at once, as there, each on one thread: a few steps of every kind, multiplications counted by PyTorch, pictures drawn, and in the same minutes how quick a plain product of the captioner's sizes is.
The floor is the time in which that product's speed does all multiplications of the plan; everything else, from the softmax to making a sample, is above it. Detector, label check, viewer and selector are left out, and what is judged on the way.
"""
import argparse, random, statistics, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import torch
from espresso.backends.weights import fast_half
from espresso.evaluation.cost import counter
from espresso.nano.album import album
from espresso.nano.base import batches, raise_model, samples_for
from espresso.nano.eye import train_eye
from espresso.nano.toy import SIDE, build, collate, reply_loss
from espresso.nano.words import tokenizer, world_texts
from espresso.nano.zoo import BRIEF, EACH, LEARN, MIX, PLAN

SCENES = 40

def product(rounds=40):
    "Operations a second of a product of the captioner's sizes"
    a, b = (torch.randn(*shape, dtype=torch.bfloat16 if fast_half() else torch.float32) for shape in ((2400, 160), (160, 320)))
    took = []
    for _ in range(rounds): start = time.perf_counter(); a @ b; took.append(time.perf_counter() - start)
    return 2*a.shape[0]*b.numel()/statistics.median(took)

def counted(loss):
    with counter() as seen: loss().backward()
    return seen.get_total_flops()

def _named(kind, learns): return f'{kind} and tower' if learns else kind # the captioner's learns with it, elsewhere it stays as it is

def measure(steps):
    "Seconds and operations of each kind of step, seconds of a frame, speed of a product"
    torch.set_num_threads(1); torch.manual_seed(0)
    start = time.perf_counter()
    pages = album(SCENES, LEARN, EACH, SIDE, 1, BRIEF)
    frame = (time.perf_counter() - start)/(SCENES*EACH)
    tok, rng = tokenizer(*world_texts(300, LEARN)), random.Random(0)
    model, make, found = build(tok), samples_for(tok, pages, (0, 300), LEARN), {}
    kinds = dict.fromkeys((kind, size, name == 'captioner') for name, mix in MIX.items() for kind, _, size in mix)
    def seconds(run): run(2); start = time.perf_counter(); run(steps); return (time.perf_counter() - start)/steps
    speed = [product()]
    for kind, size, learns in kinds:
        model.model.vision_tower.requires_grad_(learns)
        took = seconds(lambda n: raise_model(model, tok, [(1., size, make[kind])], n))
        model.set_attn_implementation('eager') # the counter does not see the way back through fused attention
        found[_named(kind, learns)] = took, statistics.mean(counted(lambda: reply_loss(model, collate(tok, b))) for b in batches(make[kind], size, rng))
        model = build(tok); speed.append(product())
    tower = model.model.vision_tower.requires_grad_(True)
    took = seconds(lambda n: train_eye(tower, pages, pages[:2], n))
    tower.config._attn_implementation = 'eager'
    picture = torch.zeros(32, 3, SIDE, SIDE)
    found['eye'] = took, counted(lambda: tower(pixel_values=picture).last_hidden_state.sum())
    return found, frame, statistics.median(speed)

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--steps', type=int, default=8)
    a = p.parse_args()
    with ProcessPoolExecutor(2, get_context('spawn')) as pool: both = list(pool.map(measure, [a.steps]*2))
    mean = statistics.mean
    took, work = ({k: mean(found[k][i] for found, *_ in both) for k in both[0][0]} for i in (0, 1))
    frame, speed = mean(b[1] for b in both), mean(b[2] for b in both)
    print(f'two processes at once, {"bfloat16" if fast_half() else "float32"}; a product of the captioner\'s sizes: {speed/1e9:.0f} GFLOP/s each; a frame is drawn in {1e3*frame:.1f} ms')
    for k in took: print(f'{k:17} {took[k]:.3f} s a step, {work[k]/1e9:.0f} GFLOP, {took[k]*speed/work[k]:.1f} times its products alone')
    parts = {name: [PLAN[name]*sum(share*x[_named(kind, name == 'captioner')] for kind, share, _ in mix) for x in (took, work)] for name, mix in MIX.items()}
    parts['eye, and what it says'] = [(PLAN['eye'] + PLAN['speak'])*x['eye'] for x in (took, work)]
    parts['drawing'] = [(PLAN['scenes'] + PLAN['more'])*EACH*frame, 0]
    print(f'{"":22} core minutes   TFLOP')
    for name, (s, f) in parts.items(): print(f'{name:22} {s/60:12.0f} {f/1e12:7.0f}')
    s, f = map(sum, zip(*parts.values()))
    print(f'{"all":22} {s/60:12.0f} {f/1e12:7.0f};  on two cores {s/120:.0f} min, the floor {f/speed/120:.0f}, {s*speed/f:.1f} times')

if __name__ == '__main__': main()
