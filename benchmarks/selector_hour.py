"""A long generated video: an index and one selection, how long they take and how much memory.

    python benchmarks/selector_hour.py [--minutes 10 20 60] [--fps 1] [--strategy ours]

Scenes of the sample world stand one after the other in one file of the length asked for. Each length is measured in a process of its own: seconds to make the index, seconds for one selection, and the most memory the process ever held, weights included. Nothing but the offline describer and MiniLM is used; with --viewer an image-text model looks at the frames.
"""
import argparse, resource, subprocess, sys, tempfile, time
from pathlib import Path

def film(path, minutes, fps=2, width=320):
    "Scenes one after the other"
    from espresso.video import write_video
    from espresso.world.render import make_scene
    def images():
        n = done = 0
        while done < minutes*60*fps:
            s = make_scene(n, 5, (20, 40)); n += 1
            for k in range(int(s.seconds*fps)):
                if done >= minutes*60*fps: return
                yield s.draw(k/fps, width); done += 1
    write_video(path, images(), fps=fps, preset='veryfast', gop=60)

def once(path, folder, fps, strategy, viewer):
    "Index and select in this process"
    from espresso.selector.index import Index
    from espresso.selector.select import select
    start = time.perf_counter()
    index = Index(path, folder, fps=fps, captioner='offline', embedder='offline', viewer=viewer)
    made = time.perf_counter()
    s = select(index, 'Why did the blue car stop before the crossing?', 'frames=8', strategy)
    end, peak = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20
    print(f'{index.about["seconds"]/60:6.1f} min  {len(index):6} frames  index {made-start:7.1f} s  selection {end-made:7.1f} s  {s.cost.captioned:5} described  {peak:.2f} GiB at most  {sum(f.stat().st_size for f in Path(folder).iterdir())/2**20:.0f} MiB on disk', flush=True)

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--minutes', type=float, nargs='+', default=[10., 20., 60.]); p.add_argument('--fps', type=float, default=1.)
    p.add_argument('--strategy', default='ours'); p.add_argument('--viewer', default=''); p.add_argument('--once', nargs=2, default=None, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.once: return once(*a.once, a.fps, a.strategy, a.viewer)
    for m in a.minutes:
        folder = Path(tempfile.mkdtemp()); film(folder/'film.mp4', m)
        subprocess.run([sys.executable, __file__, '--once', str(folder/'film.mp4'), str(folder/'index'), '--fps', str(a.fps), '--strategy', a.strategy, '--viewer', a.viewer], check=True)

if __name__ == '__main__': main()
