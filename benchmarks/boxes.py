"""How often the offline finder's box meets the sample world's own box: python benchmarks/boxes.py [scenes of each family]"""
import sys
from collections import defaultdict
from espresso.offline.finder import ColourMatcher, Finder
from espresso.records import Frame
from espresso.video import Picture
from espresso.world.render import FAMILIES, make_scene

def iou(a, b):
    "Overlap of two boxes"
    w, h = min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
    if min(w, h) <= 0: return 0.
    return w*h/((a[2]-a[0])*(a[3]-a[1]) + (b[2]-b[0])*(b[3]-b[1]) - w*h)

def measure(scenes=6, times=4):
    "Hits, found and wanted by family and by name's last word; names asked for that are not in the picture count as ghosts when found"
    seen, finder = defaultdict(lambda: [0, 0, 0]), Finder()
    for n in range(scenes*len(FAMILIES)):
        s = make_scene(n)
        at = [s.seconds*(k+.5)/times for k in range(times)]
        truths = [s.boxes(t) for t in at]
        every = sorted({name for t in truths for name in t})
        pictures = [Picture(Frame(str(n), int(t*8), t), s.draw(t)) for t in at]
        for truth, found, picture in zip(truths, finder.detect(pictures, [every]*len(pictures)), pictures):
            best = ColourMatcher().match(picture, list(truth.values()), list(truth)).argmax(1)
            seen['labels'][0] += sum(int(k) == i for i, k in enumerate(best)); seen['labels'][2] += len(best)
            got = {d.name: d.box for d in found}
            for name in every:
                if name in truth:
                    hit = name in got and iou(got[name], truth[name]) >= .5
                    for key in (f'family {s.family}', 'all', name):
                        seen[key][0] += hit; seen[key][1] += name in got; seen[key][2] += 1
                else: seen['ghosts'][1] += name in got; seen['ghosts'][2] += 1
    return seen

if __name__ == '__main__':
    seen = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
    head = [k for k in sorted(seen) if k.startswith('family') or k == 'all']
    nouns = defaultdict(lambda: [0, 0, 0])
    for k, v in seen.items():
        if k in head or k in ('ghosts', 'labels'): continue
        w = ' '.join(x for x in k.split() if x not in 'red orange yellow green blue purple pink brown black grey white cyan in'.split())
        nouns[w] = [a+b for a, b in zip(nouns[w], v)]
    for k, (hit, found, total) in [(k, seen[k]) for k in head] + sorted(nouns.items(), key=lambda kv: kv[1][0]/kv[1][2]):
        print(f'{k:24} {hit:5} of {total:5} boxes met (overlap of half or more): {hit/total:6.1%}   found {found/total:6.1%}')
    print(f"{'ghosts':24} {seen['ghosts'][1]:5} of {seen['ghosts'][2]:5} names found where the thing is not to be seen")
    print(f"{'labels':24} {seen['labels'][0]:5} of {seen['labels'][2]:5} true boxes given their own name among those in the picture: {seen['labels'][0]/seen['labels'][2]:.1%}")
