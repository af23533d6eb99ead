"""A real OpenAI-compatible server on loopback, scripted: it answers by a rule and misbehaves on command.

    with Server(lambda request: '{"keep": true}', script=[Say(status=429, headers={'retry-after': '1'})]) as server:
        server.url        # http://127.0.0.1:PORT/v1
        server.requests   # every body that came in, in order

`python tests/server.py PORT` serves one fixed reply until it is stopped, for benchmarks.
"""
import asyncio, json, sys, threading, time
from dataclasses import dataclass, field


@dataclass
class Say:
    "One scripted answer"
    text: str = ''                                  # What the model says, when the status is 200
    status: int = 200
    body: dict | str | None = None                  # The whole body, in place of a completion
    headers: dict = field(default_factory=dict)
    wait: float = 0.                                # Seconds before the answer
    hang_up: bool = False                           # Close the connection without an answer
    usage: dict | None = field(default_factory=lambda: {'prompt_tokens': 100, 'completion_tokens': 10})
    finish: str = 'stop'

    def payload(self, model):
        if self.body is not None: return self.body
        if self.status != 200: return {'error': {'message': f'scripted {self.status}', 'type': 'scripted', 'code': None}}
        return {'id': 'x', 'object': 'chat.completion', 'created': 0, 'model': model, 'usage': self.usage,
                'choices': [{'index': 0, 'finish_reason': self.finish, 'message': {'role': 'assistant', 'content': self.text}}]}


class _Connection(asyncio.Protocol):
    def __init__(self, server): self.server, self.data, self.need = server, bytearray(), None
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        self.data += data
        while self.take(): pass

    def take(self):
        "Answer one request if it is there whole"
        if self.need is None:
            end = self.data.find(b'\r\n\r\n')
            if end < 0: return False
            head = bytes(self.data[:end]).decode('latin1').split('\r\n')
            self.line, self.headers = head[0], {k.lower(): v for k, v in (h.split(': ', 1) for h in head[1:])}
            self.need = int(self.headers.get('content-length', 0))
            del self.data[:end+4]
        if len(self.data) < self.need: return False
        body = bytes(self.data[:self.need]); del self.data[:self.need]; self.need = None
        if self.server.bare: self.send(self.server.bare)
        else: asyncio.ensure_future(self.answer(self.line, self.headers, json.loads(body or b'{}')))
        return True

    async def answer(self, line, headers, body):
        s = self.server
        s.requests.append(body); s.headers.append(headers); s.times.append(time.monotonic()); s.busy += 1; s.peak = max(s.peak, s.busy)
        say = s.script.pop(0) if s.script else None
        if say is None: say = s.reply(body)
        if isinstance(say, str): say = Say(say)
        try: await asyncio.sleep(say.wait)
        finally: s.busy -= 1
        if say.hang_up: return self.transport.close()
        payload = say.payload(body.get('model', ''))
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        headers = {'content-type': 'application/json', 'content-length': len(raw), **say.headers}
        head = ''.join(f'{k}: {v}\r\n' for k, v in headers.items())
        self.send(f'HTTP/1.1 {say.status} X\r\n{head}\r\n'.encode() + raw)

    def send(self, raw):
        if not self.transport.is_closing(): self.transport.write(raw)


class Server:
    def __init__(self, reply=lambda body: '{}', script=(), bare=None):
        self.reply, self.script, self.bare = reply, list(script), bare
        self.requests, self.headers, self.times, self.busy, self.peak = [], [], [], 0, 0

    @property
    def count(self): return len(self.requests)

    def __enter__(self):
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        def run():
            asyncio.set_event_loop(self.loop)
            self.listener = self.loop.run_until_complete(self.loop.create_server(lambda: _Connection(self), '127.0.0.1', 0))
            self.url = f'http://127.0.0.1:{self.listener.sockets[0].getsockname()[1]}/v1'
            ready.set(); self.loop.run_forever()
        self.thread = threading.Thread(target=run, daemon=True); self.thread.start(); ready.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.listener.close)
        self.loop.call_soon_threadsafe(self.loop.stop); self.thread.join()


def by_rules(body):
    "Answer the chat tasks of the stages as the rule-based annotator does, for servers that shall give sense"
    from espresso.offline.annotator import Annotator
    return asyncio.run_coroutine_threadsafe(Annotator().ask(body['messages'], body['response_format']['json_schema']['schema']), _side()).result().text

def _side(made=[]):
    "A second loop, so that a rule can be waited for inside the server's own"
    if not made:
        made.append(asyncio.new_event_loop())
        threading.Thread(target=made[0].run_forever, daemon=True).start()
    return made[0]


def serve_fixed(port, text='{"keep": true}'):
    "The same reply for everything, as fast as possible"
    raw = json.dumps(Say(text).payload('tiny')).encode()
    bare = f'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n'.encode() + raw
    async def run():
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(Server(bare=bare)), '127.0.0.1', port)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()
    asyncio.run(run())


if __name__ == '__main__': serve_fixed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
