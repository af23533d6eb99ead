"""`espresso ask`, through the command line, with a tiny model."""
import numpy as np, pytest
from PIL import Image
import tiny
from espresso.cli import main
from espresso.video import write_video

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "A video, a model, and the adapter of a run"
    tmp = tmp_path_factory.mktemp('ask')
    write_video(tmp/'clip.mp4', [np.full((64, 96, 3), 20*k, np.uint8) for k in range(12)], 2)
    tiny.llava(tmp/'base')
    tiny.adapter(tmp/'runs'/'nano'/'training'/'adapter', tmp/'base')
    (tmp/'settings.ini').write_text('[paths]\noutputs = runs\n[run]\nprofile = nano\nkernel = python3\n')
    return tmp

@pytest.fixture
def ask(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    def run(*args):
        status = main(['ask', *map(str, args)])
        said = capsys.readouterr()
        return status, said.out, said.err
    return run

def test_the_last_runs_adapter_answers(ask, folder):
    pytest.importorskip('peft')
    status, out, err = ask('clip.mp4', 'What changes?')
    assert status == 0, err
    assert err.startswith('asking ') and err.split('\n')[0].endswith('with the adapter runs/nano/training/adapter')
    assert '\nanswer    ' in '\n' + out and '8 frames, ' in out and '?adapter=adapter@' in out
    assert out.rstrip().endswith('clip-answer.png') and Image.open(folder/'clip-answer.png').format == 'PNG'

def test_a_model_times_and_a_sheet(ask, folder):
    status, out, err = ask('clip.mp4', 'What changes?', '--model', 'base', '--times', '4,1.5', '--direct', '--sheet', 'deep/sheet.png')
    assert status == 0, err
    assert 'evidence' not in out and '2 frames, ' in out and (folder/'deep'/'sheet.png').exists()

@pytest.mark.parametrize('args, why', [
    (('none.mp4', 'Who?'), 'there is no such file'), (('settings.ini', 'Who?'), 'cannot be opened as a video'), (('clip.mp4', ''), 'the question is empty'),
    (('clip.mp4', 'Who?', '--model', 'nowhere'), "the model 'nowhere'"), (('clip.mp4', 'Who?', '--model', 'runs'), 'holds no model'), (('clip.mp4', 'Who?', '--frames', '0'), 'at least one frame'),
    (('clip.mp4', 'Who?', '--times', 'now'), 'write seconds with commas'), (('clip.mp4', 'Who?', '--times', '99'), 'lasts from 0 to 6.0 s'), (('clip.mp4', 'Who?', '--adapter', 'base'), 'lacks adapter_config.json'),
    (('clip.mp4', 'Who?', '--sheet', 'clip.mp4'), 'ends in .png'), (('clip.mp4', 'Who?', '--sheet', 'clip.mp4/a.png'), 'cannot be made'), (('clip.mp4', 'Who?', '--times', '1', '--frames', '2'), 'leave --frames out'), (('clip.mp4', 'What is <image>?', '--model', 'base'), "the question holds '<image>'")])
def test_what_cannot_be_asked_is_one_sentence(ask, monkeypatch, args, why):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    status, out, err = ask(*args)
    last = err.strip().splitlines()[-1]
    assert status == 2 and last.startswith('espresso: ') and why in last and out == '' and 'Traceback' not in err

def test_an_answer_outlives_its_sheet(ask, folder, monkeypatch):
    "The disk fills up while the sheet is written: the answer is told all the same"
    from espresso.reasoner import sheet
    def full(*_): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(sheet, 'replace_file', full)
    status, out, err = ask('clip.mp4', 'What changes?', '--model', 'base', '--times', '1', '--direct')
    assert status == 2 and '\nanswer    ' in err and 'could not be written (No space left' in err
