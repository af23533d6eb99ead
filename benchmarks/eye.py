"""What a vision tower sees: in how many frames one linear layer over its patches can tell everything that stands there.

    python benchmarks/eye.py nano/captioner                        # a tower that is finished; only the layer is trained
    python benchmarks/eye.py --patch 8 --width 96 --steps 600      # a tower raised from nothing, as `espresso.nano.eye` does it

A thing is told when at one of its patches every word of its name is found; with `all`, everything that is said of it too. A frame counts when that holds for all its things. It tells what is plain to read, not all that a language model may find.
Frames are those of `--scenes` scenes of world 1000, four of each, and for judging 240 of world 0. One thread.
"""
import argparse, random, time
import numpy as np, torch
from torch import nn
from transformers import AutoModelForImageTextToText, InternVLVisionConfig
from transformers.models.internvl.modeling_internvl import InternVLVisionModel
from espresso.backends.weights import model_folder
from espresso.nano.album import album
from espresso.nano.eye import Naming, labels_of, patch_labels, vocabulary
from espresso.nano.learning import learn
from espresso.nano.toy import SIDE
from espresso.nano.zoo import LEARN, UNSEEN

def truth(frames, column, grid): return torch.from_numpy(np.stack([patch_labels(p, k, column, grid) for p, k in frames]))

def told(frames, column, grid):
    "Of each frame and thing: its patches, columns of its name, columns of all its labels"
    def places(p, k, name): return torch.from_numpy(patch_labels(p, k, {'here': 0}, grid, labels=lambda *_: {name: {'here'}})[:, 0] > 0)
    def columns(labels): return [column[l] for l in labels if l in column]
    return [[(places(p, k, n), columns(l for l in ls if not l.startswith('…')), columns(ls)) for n, ls in labels_of(p, k).items()] for p, k in frames]

def judge(logits, things):
    "Shares of frames"
    def right(each, which): return float(np.mean([all((l[t[0]].amax(0)[t[which]] > 0).all().item() for t in ts) for l, ts in zip(each, things)]))
    return dict(names=round(right(logits, 1), 3), all=round(right(logits, 2), 3))

def finished(tower, frames, y, test, things, steps=600):
    "Train one layer over a tower that stays as it is"
    def look(some):
        with torch.inference_mode(): return torch.cat([tower(pixel_values=torch.from_numpy(np.stack([p.pictures[k] for p, k in some[i:i+50]])).permute(0, 3, 1, 2).float()/127.5 - 1).last_hidden_state[:, 1:] for i in range(0, len(some), 50)])
    x, seen = look(frames), look(test)
    middle, spread = x.mean((0, 1)), x.std((0, 1)) + 1e-6
    head = nn.Linear(x.shape[-1], y.shape[-1]); nn.init.constant_(head.bias, -4.)
    optimizer = torch.optim.AdamW(head.parameters(), lr=.02)
    for step in range(steps):
        for g in optimizer.param_groups: g['lr'] = .02*(1 - step/steps)
        some = torch.randint(0, len(x), (64,))
        loss = nn.functional.binary_cross_entropy_with_logits(head((x[some]-middle)/spread), y[some].float(), reduction='sum')/y[some].sum()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    with torch.inference_mode(): print(judge(head((seen-middle)/spread), things))

def raised(tower, frames, column, grid, test, things, steps, batch=32):
    "Train tower and layer together"
    model, rng = Naming(tower, len(column)), random.Random(0)
    def loss(step):
        some = rng.sample(frames, batch); y = truth(some, column, grid)
        return nn.functional.binary_cross_entropy_with_logits(model(np.stack([p.pictures[k] for p, k in some])), y, reduction='sum')/y.sum()
    shown = np.stack([p.pictures[k] for p, k in test])
    rows = learn(model, loss, steps, judge=lambda: judge(torch.cat([model(shown[i:i+40]) for i in range(0, len(shown), 40)]), things), name='eye')
    for r in rows:
        if 'names' in r: print(r)

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('model', nargs='?', help='a captioner or base; left out, a tower is raised')
    for name, value in dict(patch=16, width=128, layers=3, steps=600, scenes=1500).items(): p.add_argument(f'--{name}', type=int, default=value)
    a = p.parse_args()
    torch.set_num_threads(1); torch.manual_seed(0)
    pages, unseen = album(a.scenes, LEARN, 4, SIDE), album(60, UNSEEN, 4, SIDE)
    frames, test = ([(page, k) for page in some for k in range(4)] for some in (pages, unseen))
    column = vocabulary(pages)
    if a.model: tower = AutoModelForImageTextToText.from_pretrained(model_folder(a.model), dtype=torch.float32).model.vision_tower.eval()
    else: tower = InternVLVisionModel(InternVLVisionConfig(hidden_size=a.width, intermediate_size=3*a.width, num_hidden_layers=a.layers, num_attention_heads=a.width//32, image_size=[SIDE]*2, patch_size=[a.patch]*2, layer_scale_init_value=1.))
    grid = SIDE//tower.config.patch_size[0]
    things, start = told(test, column, grid), time.perf_counter()
    if a.model: finished(tower, frames, truth(frames, column, grid).to(torch.uint8), test, things)
    else: raised(tower, frames, column, grid, test, things, a.steps)
    print(f'{a.model or f"patch {a.patch}, width {a.width}, {a.layers} layers, {a.steps} steps"}: {sum(x.numel() for x in tower.parameters())/1e6:.2f} M parameters, {time.perf_counter()-start:.0f} s')

if __name__ == '__main__': main()
