"""The generated tasks where they are to run: in lmms-eval, when an environment with it is named, and in VLMEvalKit's two modules, as far as they are used."""
import json, os, sys, types
from pathlib import Path
import numpy as np, pytest
from PIL import Image
from espresso.evaluation import stats
from espresso.evaluation.closed import Shown, strict
from espresso.evaluation.documents import documents
from espresso.evaluation.toolkits import write_vlmeval
from espresso.records import BenchmarkItem, Video, read_parquet

root = Path(__file__).parent.parent


@pytest.mark.skipif('ESPRESSO_LMMS_EVAL' not in os.environ, reason='ESPRESSO_LMMS_EVAL names no Python with lmms-eval; benchmarks/lmms_eval.py says how to get one')
def test_lmms_eval_scores_every_question_as_we_do(tmp_path):
    sys.path.insert(0, str(root/'benchmarks'))
    import lmms_eval as ours
    lines = ours.both(Path(os.environ['ESPRESSO_LMMS_EVAL']).absolute(), tmp_path)
    assert len(lines) == 10 and not [l for l in lines if l[-1]]
    assert {l[2] for l in lines if l[0] == 'scripted' and 0 < l[4] < 1} >= {'strict', 'official', 'algorithm1'}


def test_the_class_for_vlmevalkit(tmp_path, monkeypatch):
    "A stand-in for `vlmeval.dataset.video_base` and `vlmeval.smp`: a base class that reads the table, functions that read and write files"
    pandas = pytest.importorskip('pandas')
    class Base:
        def __init__(self, dataset, nframe=0, fps=-1):
            self.dataset_name, self.nframe, self.fps = dataset, nframe, fps
            self.data = pandas.read_csv(self.prepare_dataset(dataset)['data_file'], sep='\t')
    def read(f): return pandas.read_csv(f, sep='\t')
    def write(d, f): d.to_csv(f, sep='\t') if hasattr(d, 'to_csv') else Path(f).write_text(json.dumps(d))
    for name, members in {'vlmeval': {}, 'vlmeval.dataset': {}, 'vlmeval.dataset.video_base': dict(VideoBaseDataset=Base), 'vlmeval.smp': dict(load=read, dump=write)}.items():
        m = types.ModuleType(name); m.__dict__.update(members); monkeypatch.setitem(sys.modules, name, m)
    items = [i for i in read_parquet(root/'nbs/fixtures/benchmark', BenchmarkItem) if i.options]
    files = {v.id: root/'nbs/fixtures/clips'/v.path for v in read_parquet(root/'nbs/fixtures/curation', Video)}
    docs = documents(tmp_path, items, files, {i.id: (1., 3.) for i in items}, 'shuffle')
    write_vlmeval(tmp_path, docs)
    space = {'__name__': 'videoespresso'}; exec((tmp_path/'videoespresso.py').read_text(), space)
    data = space['VideoEspresso']('VideoEspresso_closed')
    *shown, text = data.build_prompt(0)
    assert text['value'] == Shown(items[0], tuple(docs[0]['order'])).prompt and [Image.open(p['value']).size for p in shown] == [(320, 240)]*2
    assert data.build_prompt(data.data.iloc[1])[-1]['value'] == Shown(items[1], tuple(docs[1]['order'])).prompt
    replies = ['(A)', 'Answer: B', '', 'I would say D.', 'nothing', 'c']
    data.data.assign(prediction=replies).to_csv(tmp_path/'said.tsv', sep='\t')
    got, right = data.evaluate(str(tmp_path/'said.tsv')), [strict(r) == d['letter'] for r, d in zip(replies, docs)]
    assert got['strict']['questions'] == np.mean(right) and np.isclose(got['strict']['tasks'], stats.macro(right, [d['task'] for d in docs]))
    assert got['unparsed']['questions'] == 2/6 and json.loads((tmp_path/'said_score.json').read_text()) == got
    space['VideoEspresso']('VideoEspresso_open').data.assign(prediction=[d['reference'] for d in docs]).to_csv(tmp_path/'open.tsv', sep='\t')
    assert data.evaluate(str(tmp_path/'open.tsv'))['algorithm1']['questions'] == 1.
