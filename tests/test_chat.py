"The chat client against a real server that misbehaves on command"
import asyncio, logging, math, threading, time, traceback
import numpy as np, pytest
from espresso.backends import chat as room
from espresso.backends.chat import chat
from espresso.contracts import ReplyError, Usage, load
from espresso.records import Frame, Stop
from espresso.store import Store
from espresso.video import Picture
from server import Say, Server, by_rules

KEEP = {'title': 'verdict', 'type': 'object', 'properties': {'keep': {'type': 'boolean'}}, 'required': ['keep'], 'additionalProperties': False}
GOOD = '{"keep": true}'
SECRET = 'sk-do-not-tell-anyone-0123456789'


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(room, 'FIRST_WAIT', .002)
    monkeypatch.setenv('OPENAI_API_KEY', SECRET)
    monkeypatch.delenv('OPENAI_BASE_URL', raising=False)


def say(n): return [{'role': 'user', 'content': f'Is question {n} good?'}]

def ask(model, *numbers):
    async def together(): return await asyncio.gather(*[model.ask(say(n), KEEP) for n in numbers], return_exceptions=True)
    return asyncio.run(together())

def one(model, n=0):
    reply = ask(model, n)[0]
    if isinstance(reply, BaseException): raise reply
    return reply


@pytest.mark.parametrize('trouble', [
    Say(status=429, headers={'retry-after': '0'}), Say(status=429), Say(status=500), Say(status=503, headers={'retry-after': '0.05'}), Say(status=529),
    Say(hang_up=True), Say(body='{"choices": [{"mess'), Say(body={'error': {'message': 'upstream is busy'}}), Say(body={'choices': []}, status=502)])
def test_trouble_that_passes_is_tried_again(trouble):
    with Server(lambda b: GOOD, script=[trouble, trouble]) as server:
        reply = one(chat('m', base_url=server.url))
    assert reply.data == {'keep': True} and server.count == 3 and reply.usage.requests == 1


def test_retry_after_is_kept_by_all():
    with Server(lambda b: GOOD, script=[Say(status=429, headers={'retry-after': '0.4'})]) as server:
        assert all(r.data for r in ask(chat('m', base_url=server.url, concurrency='1'), 1, 2, 3))
    first, *others = server.times
    assert len(others) == 3 and min(others) - first >= .39


@pytest.mark.parametrize('status,words', [(400, 'answers 400'), (401, 'refuses the key'), (403, 'refuses the key'), (404, 'name of the model')])
def test_wrong_settings_stop_at_once(status, words):
    with Server(script=[Say(status=status)]*50) as server:
        model = chat('m', base_url=server.url, concurrency='2')
        replies = ask(model, *range(20))
        assert all(isinstance(r, Stop) and words in str(r) for r in replies)
        assert server.count <= 2                        # those under way when the first was refused; none after


def test_out_of_credit_is_not_waited_for():
    broke = Say(status=429, body={'error': {'message': 'You exceeded your quota', 'code': 'insufficient_quota'}}, headers={'retry-after': '1'})
    with Server(script=[broke]) as server, pytest.raises(Stop, match='no credit'): one(chat('m', base_url=server.url))
    assert server.count == 1


def test_a_row_of_its_own_fault_does_not_stop_the_others():
    def reply(body):
        n = int(body['messages'][0]['content'].split()[2])
        if n == 3: return Say(status=400, body={'error': {'message': 'maximum context length is 8192 tokens', 'code': 'context_length_exceeded'}})
        return Say(status=500) if n == 5 else Say(GOOD, wait=.02)
    with Server(reply) as server:
        model = chat('m', base_url=server.url, concurrency='2')
        replies = ask(model, *range(8))
        again = ask(model, 6)[0]
    assert [type(r).__name__ for r in replies] == ['Reply', 'Reply', 'Reply', 'ReplyError', 'Reply', 'ReplyError', 'Reply', 'Reply']
    assert 'context length' in str(replies[3]) and f'{room.TRIES} tries' in str(replies[5])
    assert again.usage.cached == 1


def test_a_server_that_only_fails_stops_the_run():
    with Server(lambda b: Say(status=503)) as server, pytest.raises(Stop, match='answers 503.*tries'): one(chat('m', base_url=server.url))
    assert server.count == room.TRIES
    with Server(lambda b: Say(status=429, headers={'retry-after': '3600'})) as server, pytest.raises(Stop, match='asks to wait 3600 s'):
        one(chat('m', base_url=server.url))
    assert server.count == 1


def test_slow_server():
    with Server(lambda b: GOOD, script=[Say(GOOD, wait=1.)]) as server:
        assert one(chat('m', base_url=server.url, timeout='0.2')).data and server.count == 2


def test_nobody_there():
    with Server() as server: url = server.url
    with pytest.raises(Stop) as e: one(chat('m', base_url=url))
    assert str(e.value) == f'the chat server at {url} cannot be reached (1 tries); start the server, or give its address as base_url'


def test_web_page_instead_of_a_server():
    for page in Say(body='<html>hello</html>', headers={'content-type': 'text/html'}), Say(body={'hello': 'there'}):
        with Server(script=[page]) as server, pytest.raises(Stop, match='not with a completion; check base_url'): one(chat('m', base_url=server.url))
        assert server.count == 1


def test_repaired_once_then_quarantined():
    with Server(script=['Of course!', GOOD]) as server:
        reply = one(chat('m', base_url=server.url))
    assert reply.usage == Usage(requests=2, repaired=1, prompt_tokens=200, completion_tokens=20)
    told = server.requests[1]['messages']
    assert told[1] == {'role': 'assistant', 'content': 'Of course!'} and 'holds no JSON object' in told[2]['content'] and '"keep"' in told[2]['content']
    with Server(lambda b: '{"keep": "perhaps"}') as server:
        model = chat('m', base_url=server.url)
        with pytest.raises(ReplyError, match=r"m, asked twice: field \$\.keep: 'perhaps' is not of type 'boolean'") as e: one(model)
    assert server.count == 2 and e.value.usage.requests == 2 and model.usage == e.value.usage


@pytest.mark.parametrize('text', [GOOD, f'```json\n{GOOD}\n```', f'Sure: {GOOD} Anything else?', f'<think>Could be {{"keep": 1}}?</think>\n{GOOD}'])
def test_servers_that_ignore_the_schema(text):
    with Server(lambda b: text) as server: assert one(chat('m', base_url=server.url, json='text')).data == {'keep': True}
    assert 'response_format' not in server.requests[0] and '"keep"' in server.requests[0]['messages'][0]['content']


def test_cut_off_and_empty_replies_say_so():
    with Server(lambda b: Say('{"keep": tr', finish='length')) as server, pytest.raises(ReplyError, match='cut off before its end'): one(chat('m', base_url=server.url))
    refusal = {'choices': [{'finish_reason': 'stop', 'message': {'content': None, 'refusal': 'I must not.'}}]}
    with Server(lambda b: Say(body=refusal)) as server, pytest.raises(ReplyError, match='I must not'): one(chat('m', base_url=server.url))


def test_second_run_asks_nothing(tmp_path):
    def reply(body): return 'never good' if 'question 7 ' in body['messages'][0]['content'] else GOOD
    with Server(reply) as server:
        first = ask(chat('m', store=Store(tmp_path/'s'), base_url=server.url), *range(10))
        assert server.count == 11
        second = ask(chat('m', store=Store(tmp_path/'s'), base_url=server.url), *range(10))
        assert server.count == 11
        other = ask(chat('m', store=Store(tmp_path/'s'), base_url=server.url, seed='1'), 1)
        assert server.count == 12 and other[0].data
    for a, b in zip(first, second):
        assert type(a) is type(b) and str(getattr(a, 'data', a)) == str(getattr(b, 'data', b))
        assert b.usage.requests == 0 and b.usage.cached == a.usage.requests and b.usage.money == 0


def test_a_run_that_was_killed_goes_on_behind_its_last_answer(tmp_path):
    with Server(lambda b: GOOD, script=[GOOD]*6 + [Say(status=401)]) as server:
        replies = ask(chat('m', store=Store(tmp_path/'s'), base_url=server.url, concurrency='1'), *range(10))
        assert [type(r).__name__ for r in replies] == ['Reply']*6 + ['Stop']*4
        ask(chat('m', store=Store(tmp_path/'s'), base_url=server.url, concurrency='1'), *range(10))
    assert server.count == 6 + 1 + 4


def test_the_same_question_in_flight_is_sent_once():
    with Server(lambda b: Say(GOOD, wait=.1)) as server:
        model, replies = chat('m', base_url=server.url), []
        threads = [threading.Thread(target=lambda: replies.extend(ask(model, 1, 1, 2))) for _ in range(4)]   # four event loops
        for t in threads: t.start()
        for t in threads: t.join()
    assert server.count == 2 and len(replies) == 12 and all(r.data for r in replies)
    assert model.usage.requests == 2 and model.usage.cached == 10


def test_an_answer_whose_asker_gave_up_is_kept(tmp_path):
    with Server(lambda b: Say(GOOD, wait=.15)) as server:
        model = chat('m', store=Store(tmp_path/'s'), base_url=server.url)
        async def impatient():
            with pytest.raises(asyncio.TimeoutError): await asyncio.wait_for(model.ask(say(1), KEEP), .05)
        asyncio.run(impatient()); time.sleep(.3)
        assert one(model, 1).usage.cached == 1 and server.count == 1
        async def company():
            first = asyncio.ensure_future(model.ask(say(2), KEEP))
            await asyncio.sleep(.05)
            with pytest.raises(asyncio.TimeoutError): await asyncio.wait_for(model.ask(say(2), KEEP), .02)
            return await first                               # the second asker's leaving takes nothing from the first
        assert asyncio.run(company()).data and server.count == 2


@pytest.mark.parametrize('concurrency', [1, 3, 16])
def test_concurrency_is_bounded(concurrency):
    with Server(lambda b: Say(GOOD, wait=.02)) as server: ask(chat('m', base_url=server.url, concurrency=str(concurrency)), *range(40))
    assert server.peak == concurrency and server.count == 40


@pytest.mark.parametrize('said', [{'prompt_tokens': 30, 'completion_tokens': 20}, {'prompt_tokens': 1, 'completion_tokens': 64}, None])
def test_money_cap_is_never_passed(said):
    with Server(lambda b: Say(GOOD, wait=.005, usage=said)) as server:
        model = chat('m', base_url=server.url, price_in='1000', price_out='1000', max_tokens='64', max_money='3', concurrency='8')
        replies = ask(model, *range(100))
        spent, count = model.line.purse.spent, server.count
        more = ask(model, 0, 200)
    assert spent <= 3 and math.isclose(spent, model.usage.money) and math.isclose(model.line.purse.held, 0, abs_tol=1e-9)
    stops = [r for r in replies if isinstance(r, Exception)]
    assert stops and all(isinstance(r, Stop) and 'max_money' in str(r) for r in stops) and count == 100 - len(stops) and spent > 2
    assert more[0].usage.cached == 1 and isinstance(more[1], Stop) and server.count == count     # what was paid for stays free


def test_a_request_that_may_have_been_billed_counts(tmp_path):
    with Server(lambda b: Say(hang_up=True)) as server:
        model = chat('m', base_url=server.url, price_in='1000', price_out='1000', max_tokens='64', max_money='1')
        with pytest.raises(Stop): one(model)
    assert 0 < model.line.purse.spent <= 1 and server.count < room.TRIES


def test_the_key_is_told_to_nobody_but_the_server(tmp_path, caplog):
    out, seen = [], []
    caplog.set_level(logging.DEBUG)
    leaks = [Say(status=s, body={'error': {'message': f'Incorrect API key provided: {SECRET}', 'code': None}}) for s in (401, 404, 400, 429, 500, 403)]
    for leak in leaks:
        with Server(lambda b: leak) as server:
            model = chat('m', store=Store(tmp_path/'s'), base_url=server.url)
            e = ask(model, 1)[0]
            assert isinstance(e, Stop) and e.__context__ is None and e.__cause__ is None
            out += [str(e), repr(e), ''.join(traceback.format_exception(e)), repr(model), str(model), repr(model.line), model.name]
            seen += [h['authorization'] for h in server.headers]
    with Server(lambda b: GOOD) as server: one(chat('m', store=Store(tmp_path/'s'), base_url=server.url))
    assert seen and not any(SECRET in o for o in out)
    assert server.headers[0]['authorization'] == f'Bearer {SECRET}'
    assert SECRET not in caplog.text
    for f in tmp_path.rglob('*'): assert SECRET.encode() not in f.read_bytes()


def test_an_address_with_a_password_is_refused():
    with pytest.raises(ValueError, match='must not hold a password') as e: chat('m', base_url='http://me:hunter2@localhost/v1')
    assert 'hunter2' not in str(e.value)
    with pytest.raises(ValueError, match='never the key itself') as e: chat('m', api_key_env=SECRET)
    assert SECRET not in str(e.value)


def test_names_and_options():
    assert chat('gpt-4o').name == 'gpt-4o'
    assert chat('gpt-4o', temperature='0.7', seed='3', concurrency='2').name == 'gpt-4o?temperature=0.7&seed=3'
    with pytest.raises(ValueError, match='which model'): load('chat', 'chat')
    with pytest.raises(ValueError, match="temperature='warm'"): chat('m', temperature='warm')
    with pytest.raises(ValueError, match='must be schema, object or text'): chat('m', json='yes')
    with pytest.raises(ValueError, match='max_money needs'): chat('m', max_money='5')
    with Server(lambda b: GOOD) as server:
        one(chat('m', base_url=server.url, temperature='', seed='5'))
    assert 'temperature' not in server.requests[0] and server.requests[0]['seed'] == 5 and server.requests[0]['max_tokens'] == 1024


def test_captions_from_a_vision_server(tmp_path):
    def reply(body):
        image, text = body['messages'][0]['content']
        assert image['image_url']['url'].startswith('data:image/jpeg;base64,') and 'response_format' not in body
        return Say('A red door is in the middle. A man is wal', finish='length')
    pictures = [Picture(Frame('v', n, n/2), np.full((40, 60, 3), 20*n, np.uint8)) for n in range(6)]
    with Server(reply) as server:
        spec = f'chat:vlm?base_url={server.url}&concurrency=3'
        seer = load('captioner', spec, store=Store(tmp_path/'s'))
        assert seer.caption('clip.mp4', pictures) == ['A red door is in the middle.']*6
        assert load('captioner', spec, store=Store(tmp_path/'s')).caption('clip.mp4', pictures)[0] and server.count == 6 and server.peak <= 3
        assert seer.name != load('captioner', spec + '&prompt=Say+it+short').name != load('captioner', spec + '&size=64').name
    with Server(lambda b: '  ') as server, pytest.raises(ReplyError, match='says nothing of clip.mp4 at 0.0 s'):
        load('captioner', f'chat:vlm?base_url={server.url}').caption('clip.mp4', pictures[:1])


def test_the_five_tasks_through_a_server(tmp_path):
    "What the stages ask, over HTTP, gives what the annotator gives when it is called directly; a second run asks nothing"
    from espresso.dataset.benchmark import DISTRACTOR_SCHEMA, TASK_SCHEMA, distractor_prompt, task_prompt
    from espresso.dataset.cot import EVIDENCE_SCHEMA, evidence_prompt
    from espresso.dataset.qa import write_pairs
    from espresso.records import Caption, Evidence, FrameGroup, QAPair
    said = ['The traffic light is red. A red car is waiting at the line.', 'The traffic light is red. A woman in green is crossing the road.',
            'The traffic light is green. A woman in green is walking to the left.', 'The traffic light is green. A red car is driving to the right.']
    group = FrameGroup('g', 'v', 0, tuple(Caption(Frame('v', 30*i, float(i)), t, 'truth') for i, t in enumerate(said)))
    async def chain(model):
        pairs = [p for p in await write_pairs(group, model, model) if isinstance(p, QAPair)]
        out = []
        for qa in pairs:
            evidence = (await model.ask(evidence_prompt(qa), EVIDENCE_SCHEMA)).data
            e = Evidence('e', qa, qa.cited, (), evidence['evidence'], 'm')
            out.append((qa.question, qa.answer, qa.verdict.reason, evidence, (await model.ask(task_prompt(e), TASK_SCHEMA)).data, (await model.ask(distractor_prompt(e, 10, [], []), DISTRACTOR_SCHEMA)).data))
        return out
    expected = asyncio.run(chain(load('chat', 'offline')))
    with Server(by_rules) as server:
        spec = f'chat:rules?base_url={server.url}&price_in=1&price_out=1&max_money=10'
        first = load('chat', spec, store=Store(tmp_path/'s'))
        assert asyncio.run(chain(first)) == expected and len(expected) >= 1
        titles, count = {r['response_format']['json_schema']['name'] for r in server.requests}, server.count
        second = load('chat', spec, store=Store(tmp_path/'s'))
        assert asyncio.run(chain(second)) == expected and server.count == count
    assert titles == {'qa_pairs', 'qa_verdict', 'evidence', 'task', 'distractors'}
    assert second.usage.money == 0 and second.usage.cached == first.usage.requests + first.usage.cached and first.usage.money > 0


def test_two_videos_at_once_share_one_loop():
    "Two threads that caption at the same first moment must not end up on two event loops"
    code = '''
import threading, sys
from espresso.backends import chat
sys.setswitchinterval(1e-6)
gate, found = threading.Barrier(16), []
def go(): gate.wait(); found.append(chat._loop())
threads = [threading.Thread(target=go) for _ in range(16)]
for t in threads: t.start()
for t in threads: t.join()
print(len(set(map(id, found))))
'''
    import subprocess, sys
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip() == '1'
