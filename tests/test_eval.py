"""Evaluation as a whole: replies read against an oracle, and a trial among broken files, models and judges, killed and gone on with."""
import json, os, random, re, signal, subprocess, sys, time
from collections import Counter
from pathlib import Path
import pytest
from espresso.backends import chat as chat_room
from espresso.cli import main
from espresso.dataset.exchange import write_records
from espresso.evaluation.closed import LETTERS, official, strict
from espresso.evaluation.judge import ASPECTS, Grade
from espresso.records import Drop, Video, read_parquet
from espresso.reasoner.worldset import truth_of, world_items
from espresso.trial import answerers
from espresso.trial.answerers import Local
from server import Say, Server

fixtures = Path(__file__).parent.parent/'nbs'/'fixtures'
CLIPS = fixtures/'clips'

# ---- replies

def oracle(text):
    "What the authors' script is said to do"
    m = re.search(r'[A-D]', text) if isinstance(text, str) else None
    return m.group(0) if m else ''

def replies(n, seed=0):
    rng = random.Random(seed)
    words = 'Answer The answer is Based on video Considering option Best choice (A) (b) C. d: D) none of A B C D a b c d because wrong red car \n é 漢 Ａ ! ? * ** [B] {C} 1 2'.split(' ')
    for _ in range(n):
        kind = rng.random()
        if kind < .05: yield rng.choice([None, 3, '', ' ', [], {'A': 1}, 2.5, b'A'])
        elif kind < .3: yield ''.join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(1, 0x2000)])) for _ in range(rng.randrange(12)))
        else: yield ' '.join(rng.choice(words) for _ in range(rng.randrange(1, 14)))

def test_official_is_the_script_on_ten_thousand_replies():
    some = list(replies(10_000))
    assert [official(r) for r in some] == [oracle(r) for r in some]
    assert Counter(map(official, some)).keys() == {'', *'ABCD'}

SAYS = ['{l}', '({l})', '{l}.', '({l}): {o}', '{l}. {o}', 'Answer: {l}', 'answer: ({l})', 'The answer is {l}.', 'The correct answer is ({l}) {o}', 'Based on the video, ({l})', 'I choose {l}.', 'Option {l}', '**{l}**',
        'The right option is {l}, because {o}', '{l} is the correct answer.', '<think>({x}) or ({l})?</think>{l}', '({x}) is wrong, so the answer is ({l}).', 'Final answer: {l}', r'\boxed{{{l}}}', 'Neither {x} nor {y}. The answer is {l}.']

def test_strict_finds_what_was_stated_and_never_makes_one_up():
    rng = random.Random(1)
    options = ['She walks to the left.', 'A red car waits.', 'It drives because the light is green.', 'The ball is at the door, and a dog is there.']
    for _ in range(2000):
        l, x, y = rng.sample(LETTERS, 3)
        text = rng.choice(SAYS).format(l=l, x=x, y=y, o=rng.choice(options))
        assert strict(text) == l, text
    for o in options: assert strict(o) == ''
    for r in replies(3000, 2): assert strict(r) in ('', *LETTERS) and strict(r, 2) in ('', 'A', 'B')

def test_a_reply_without_end_is_read_in_no_time():
    start = time.perf_counter()
    for text in 'A ', 'The answer is ', '(A) or ', 'wait ', 'A, ', '\\boxed{', 'it is not A. ': strict(text*10_000)
    assert time.perf_counter() - start < 20

# ---- trials

@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(chat_room, 'FIRST_WAIT', .002)
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-x'); monkeypatch.delenv('OPENAI_BASE_URL', raising=False)

@pytest.fixture(scope='module')
def test_file(tmp_path_factory):
    "Nine questions about the three sample clips, as a published test file"
    films = {v.id: v for v in read_parquet(fixtures/'curation', Video)}
    items = [i for v in films.values() for i in world_items(v, truth_of(v, CLIPS) | dict(split='test'))[:3]]
    path = tmp_path_factory.mktemp('bench')/'test.json'
    write_records(path, items, films)
    return path

SMALL = ['--videos', str(CLIPS), '--frames', 'uniform:2']
NANO = 'hf:nano/base?limit=5'

def espresso_eval(*args): return main(['eval', *map(str, args)])
def result(out): return json.loads((Path(out)/'result.json').read_text())
def notes(out): return json.loads((Path(out)/'run.json').read_text())
def balanced(out, n):
    r, counts = result(out), notes(out)['counts']
    assert r['items'] + sum(r['left_out'].values()) == counts['units'] == n and counts['used'] == r['items'] == r['objective']['items'] == sum(r['objective']['steps'].values())
    for c in r['closed'].values(): assert c['items'] == r['items'] and c['replies'] == sum(c['letters'].values())
    assert r['judged'].get('answers', 0) + r['judged']['not_judged'] == r['items']
    return r

def answers_by(rule):
    "A server's reply: a letter for a question with options, else by the rule"
    return lambda body: '(B)' if 'give the option letters' in (text := body['messages'][-1]['content'][-1]['text']) else rule(text)

def test_all_three_with_intervals_and_a_second_time_for_nothing(test_file, tmp_path, monkeypatch, capsys):
    command = [NANO, test_file, *SMALL, '--out', tmp_path/'t', '--conditions', 'video,blind', '--order', 'shuffle']
    assert espresso_eval(*command) == 0
    r, text = balanced(tmp_path/'t', 9), capsys.readouterr().out
    for f in r['objective']['right'], r['closed']['video']['strict'], r['closed']['blind']['official'], r['judged']['overall']:
        assert f['low'] is not None and f['low'] <= f['value'] <= f['high'] and f['tasks'] and f['macro']
    assert r['videos'] == 3 and r['judged']['judge'] == 'word overlap (stand-in, no judge)' and r['settings']['temperature'] == 0 and 'Algorithm 1' in text and 'strict' in text
    assert notes(tmp_path/'t')['notes']['asked'] == 27
    first = (tmp_path/'t'/'result.json').read_bytes()
    def never(*a, **k): raise AssertionError('a model was asked')
    monkeypatch.setattr(answerers, 'reasoner', never); monkeypatch.setattr(answerers, 'read_frames', never)
    from espresso.backends.offline import MiniLM
    monkeypatch.setattr(MiniLM, 'embed', never)
    assert espresso_eval(*command) == 0 and notes(tmp_path/'t')['notes']['asked'] == 0
    assert (tmp_path/'t'/'result.json').read_bytes() == first

def same(a, b):
    for f in 'result.json', 'report.txt': assert (a/f).read_bytes() == (b/f).read_bytes()
    for f in 'scores', 'choices', 'grades', 'faults', 'left_out': assert (a/f'{f}.parquet').read_bytes() == (b/f'{f}.parquet').read_bytes()

def test_broken_off_at_a_random_item(test_file, tmp_path, monkeypatch):
    "A model of this process, in groups of two"
    command = ['hf:nano/base?limit=5&batch=2', test_file, *SMALL, '--conditions', 'video']
    assert espresso_eval(*command, '--out', tmp_path/'whole') == 0
    left, reply = [random.Random(os.getpid()).randrange(1, 9)], Local.reply
    def stops(self, asks, free):
        left[0] -= 1
        if left[0] < 0: raise KeyboardInterrupt
        return reply(self, asks, free)
    monkeypatch.setattr(Local, 'reply', stops)
    assert espresso_eval(*command, '--out', tmp_path/'broken') == 130 and not (tmp_path/'broken'/'result.json').exists()
    monkeypatch.setattr(Local, 'reply', reply)
    assert espresso_eval(*command, '--out', tmp_path/'broken') == 0 and 0 < notes(tmp_path/'broken')['notes']['asked'] <= 18
    same(tmp_path/'whole', tmp_path/'broken')

def test_killed_at_a_random_item(test_file, tmp_path):
    "A process of its own, killed by the server it asks"
    def spec(s): return f'openai:some-model?base_url={s.url}&concurrency=1'
    judge = json.dumps(dict.fromkeys(ASPECTS, 6) | dict(why='fair'))
    say = answers_by(lambda text: f'It is {len(text)} times so.')
    def both(body): return judge if body['messages'][0]['role'] == 'system' else say(body)
    with Server(both) as server:
        def command(out): return [spec(server), test_file, *SMALL, '--judge', f'chat:judge?base_url={server.url}', '--out', out]
        assert espresso_eval(*command(tmp_path/'whole')) == 0
        calls = server.count
        assert calls == 9 + 9 + 9
        at, child = calls + random.randrange(1, calls), None
        def deadly(body):
            if server.count == at: os.kill(child.pid, signal.SIGKILL); time.sleep(.2)
            return both(body)
        server.reply = deadly
        child = subprocess.Popen([sys.executable, '-c', 'import sys; from espresso.cli import main; sys.exit(main())', 'eval', *map(str, command(tmp_path/'killed'))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert child.wait() == -signal.SIGKILL and not (tmp_path/'killed'/'result.json').exists()
        server.reply, before = both, server.count
        assert espresso_eval(*command(tmp_path/'killed')) == 0
        assert server.count - before <= calls - (at - calls) + 1 + 8 # the one that was killed is asked again; the judge works on eight at once
        before = server.count
        assert espresso_eval(*command(tmp_path/'killed')) == 0 and server.count == before
    same(tmp_path/'whole', tmp_path/'killed')
    assert result(tmp_path/'whole')['judged']['version'] == 'judge' and result(tmp_path/'whole')['cost']['prompt_tokens'] == 18*100

def test_a_file_with_faults(test_file, tmp_path, capsys):
    records = json.loads(test_file.read_text())
    del records[0]['correct_answer']
    records[1]['options'].append('(E): She runs.')
    records[2]['correct_answer'] = '(Z)'
    records[3]['task'] = 'Time Travel'
    records[4]['video_path'] = 'all_video/world/gone.mp4'
    folder = tmp_path/'videos'; folder.mkdir()
    for f in CLIPS.glob('*.mp4'): (folder/f.name).write_bytes(f.read_bytes())
    broken = folder/Path(records[-1]['video_path']).name
    (tmp_path/'bad.json').write_text(json.dumps(records))
    assert espresso_eval(NANO, tmp_path/'bad.json', '--videos', folder, '--frames', 'uniform:2', '--out', tmp_path/'t') == 0
    r = balanced(tmp_path/'t', 9)
    assert r['left_out'] == {'missing key': 1, 'no video': 1, 'too many options': 1, 'wrong letter': 1} and r['notes'] == {'unknown_tasks': {'Time Travel': 1}}
    assert 'Others' in r['objective']['right']['tasks']
    out = {d.reason: d.detail for d in read_parquet(tmp_path/'t'/'left_out.parquet', Drop)}
    assert 'correct_answer' in out['missing key'] and 'gone.mp4' in out['no video']
    broken.write_bytes(broken.read_bytes()[:3000])
    assert espresso_eval(NANO, tmp_path/'bad.json', '--videos', folder, '--frames', 'uniform:2', '--out', tmp_path/'t') == 0
    r = balanced(tmp_path/'t', 9)
    assert r['items'] < 5 and sum(r['left_out'].values()) >= 5
    capsys.readouterr()

def test_a_model_that_says_nothing_or_never_stops_or_breaks(test_file, tmp_path, monkeypatch):
    monkeypatch.setattr(chat_room, 'TRIES', 2)
    seen = []
    def rule(text):
        if text not in seen: seen.append(text)
        n = seen.index(text)
        return '' if n == 0 else Say('The door. '*5000, finish='length') if n == 1 else Say(status=500) if n == 7 else Say('A red car is waiting.')
    with Server(answers_by(rule)) as server:
        command = [f'openai:some-model?base_url={server.url}&concurrency=1', test_file, *SMALL, '--out', tmp_path/'t']
        assert espresso_eval(*command) == 0
        r = balanced(tmp_path/'t', 9)
        assert (r['objective']['failed'], r['objective']['nothing'], r['objective']['cut']) == (1, 2, 1) and r['judged']['failed'] == 1 and r['judged']['nothing'] == 1
        assert r['closed']['video']['letters'] == {'B': 9}
        fault, = read_parquet(tmp_path/'t'/'faults.parquet', Drop)
        assert fault.kind == 'quarantined' and '500' in fault.detail
        server.reply, before = answers_by(lambda text: 'It is fine now.'), server.count
        assert espresso_eval(*command) == 0 and server.count == before + 1 # only what failed is asked again
        assert balanced(tmp_path/'t', 9)['objective']['failed'] == 0

def test_a_server_that_is_down_ends_the_trial(test_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chat_room, 'TRIES', 2)
    with Server(lambda body: Say(status=500)) as server: assert espresso_eval(f'openai:some-model?base_url={server.url}', test_file, *SMALL, '--out', tmp_path/'t') == 2
    assert 'answers 500' in capsys.readouterr().err and not (tmp_path/'t'/'result.json').exists()

def test_a_model_of_this_process_that_breaks(test_file, tmp_path, monkeypatch):
    reply, seen = Local.reply, []
    def breaks(self, asks, free):
        if not free and asks[0].id not in seen: seen.append(asks[0].id)
        if not free and seen.index(asks[0].id) == 7: raise RuntimeError('CUDA error: an illegal memory access')
        return reply(self, asks, free)
    monkeypatch.setattr(Local, 'reply', breaks)
    assert espresso_eval(NANO, test_file, *SMALL, '--out', tmp_path/'t') == 0
    r = balanced(tmp_path/'t', 9)
    assert r['closed']['video']['failed'] == 1 and r['objective']['failed'] == 0
    assert 'illegal memory access' in read_parquet(tmp_path/'t'/'faults.parquet', Drop)[0].detail

def test_a_judge_of_prose_and_elevens(test_file, tmp_path):
    questions = [r['question'] for r in json.loads(test_file.read_text())]
    def judge(body):
        n = next(k for k, q in enumerate(questions) if q in body['messages'][1]['content'])
        return 'Splendid.' if n == 0 else json.dumps(dict.fromkeys(ASPECTS, 11 if n == 1 else 0 if n == 2 else 8) | dict(why='so'))
    with Server(answers_by(lambda t: 'A red car is waiting.')) as model, Server(judge) as server:
        command = [f'openai:some-model?base_url={model.url}', test_file, *SMALL, '--judge', f'chat:judge?base_url={server.url}&temperature=0.7', '--rounds', 2, '--out', tmp_path/'t']
        assert espresso_eval(*command) == 0
        r = result(tmp_path/'t')
        j, count = r['judged'], server.count
        assert j['overall']['value'] == 8 and j['answers'] == 6 and j['not_judged'] == 6 and (j['temperature'], j['rounds'], j['agreement']['same']) == (.7, 2, 1.)
        faults, grades = read_parquet(tmp_path/'t'/'faults.parquet', Drop), read_parquet(tmp_path/'t'/'grades.parquet', Grade)
        assert len({d.row_id for d in faults}) == 3 and len({g.id for g in grades}) == 6 and not {d.row_id for d in faults} & {g.id for g in grades}
        assert {b['seed'] for b in server.requests} == {0, 1}
        assert espresso_eval(*command) == 0 and server.count == count

@pytest.mark.parametrize('args,words', [
    ([NANO, 'nowhere'], 'is no benchmark'), (['gpt-4o', '{file}'], 'write hf:ID-or-folder'), ([NANO, '{file}', '--frames', 'all'], 'write core'), ([NANO, '{file}', '--judge', 'gpt'], 'there is no backend'),
    ([NANO, '{file}', '--conditions', 'deaf'], 'there is no'), ([NANO, '{file}', '--embedder', 'best'], 'there is no backend'), ([NANO], 'MODEL and BENCH')])
def test_wrong_words_are_found_before_any_work(test_file, tmp_path, capsys, args, words):
    args = [str(test_file) if a == '{file}' else a for a in args]
    assert espresso_eval(*args, '--videos', CLIPS, '--out', tmp_path/'t') == 2
    assert words in capsys.readouterr().err

def test_the_table_of_published_models(capsys):
    assert espresso_eval('--models') == 0
    text = capsys.readouterr().out
    assert text.count('\n') == 25 and 'LLaVA-N-Inter' in text and 'ShareGPT4Video' in text
