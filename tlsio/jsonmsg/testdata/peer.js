'use strict'
// A tls-json server and a tls-json client for Node, with the npm package's habits,
// good and bad: what the Go side is tested against. Driven by JSON lines.
//
//   node peer.js server|client '{"options":{...}, ...}'
//
// stdin takes commands: send, request, raw, disconnect. stdout gives events.
const fs = require('fs')
const readline = require('readline')
const tls = require('tls')

const report = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')

// Reader parses at each newline, and at each chunk's end what there is by then,
// which it keeps all the same. Falsy values and what can't be parsed are skipped.
class Reader {
    constructor(deliver) {
        this.deliver = deliver
        this.rest = ''
    }

    chunk(text) {
        const lines = (this.rest + text).split('\n')
        this.rest = lines.pop()
        lines.forEach(line => this.attempt(line))
        this.attempt(this.rest)
    }

    attempt(text) {
        let value
        try {
            value = JSON.parse(text)
        } catch (e) {
            return
        }
        if (value) this.deliver(value)
    }
}

const write = (socket, value) => socket.write(JSON.stringify(value) + '\n')

// Requests is the table of requests without answer: one for all of a side's peers.
class Requests {
    constructor(timeout) {
        this.timeout = timeout
        this.count = 0
        this.waiting = new Map()
    }

    send(socket, value) {
        return new Promise((resolve, reject) => {
            value.requestId = ++this.count
            this.waiting.set(value.requestId, { resolve, reject })
            setTimeout(() => this.fail(value.requestId, 'request timeout'), this.timeout)
            write(socket, value)
        })
    }

    answer(id, value) {
        const waits = this.waiting.get(id)
        this.waiting.delete(id)
        if (waits) waits.resolve(value)
    }

    fail(id, reason) {
        const waits = this.waiting.get(id)
        this.waiting.delete(id)
        if (waits) waits.reject(new Error(reason))
    }

    failAll(reason) {
        for (const id of [...this.waiting.keys()]) this.fail(id, reason)
    }
}

// common handles what both sides do with a message once authenticated; it returns
// false for messages that are left.
function common(requests, socket, value, onRequest) {
    if (value.requestId) {
        const responseId = value.requestId
        delete value.requestId
        onRequest(value, { send: reply => write(socket, Object.assign(reply, { responseId })) })
        return true
    }
    if (value.responseId) {
        const id = value.responseId
        delete value.responseId
        requests.answer(id, value)
        return true
    }
    return false
}

function serve(config) {
    const requests = new Requests(config.requestTimeout || 10000)
    const interval = config.keepAliveInterval || 10000
    const timeout = config.keepAliveTimeout || 5000
    const sockets = new Map()
    let ids = 0

    const ping = (id, socket) => {
        const key = config.pingKey === undefined ? Math.floor(Math.random() * 65535) : config.pingKey
        socket.pings.set(key, setTimeout(() => {
            report('timeout', { id })
            socket.destroy()
        }, timeout))
        write(socket, { __ping: key })
    }

    const server = tls.createServer(config.options, socket => {
        const id = ids++
        sockets.set(id, socket)
        socket.pings = new Map()
        socket.setEncoding('utf8')
        const reader = new Reader(value => {
            if (!socket.decided) {
                socket.decided = true
                if (value.password !== config.password) {
                    write(socket, { error: 'incorrect password' })
                    socket.destroySoon()
                    return
                }
                socket.authenticated = true
                write(socket, { authenticated: true })
                report('authenticated', { id })
                socket.pinger = setInterval(ping, interval, id, socket)
                return
            }
            if (!socket.authenticated) return
            if (common(requests, socket, value, (req, res) => answer(id, req, res))) return
            if (value.__pong) {
                if (config.tellPongs && socket.pings.has(value.__pong)) report('pong', { key: value.__pong })
                clearTimeout(socket.pings.get(value.__pong))
                socket.pings.delete(value.__pong)
                return
            }
            report('message', { id, body: value })
        })
        socket.on('data', text => reader.chunk(text))
        socket.on('error', err => report('error', { id, text: err.message }))
        socket.on('close', () => {
            clearInterval(socket.pinger)
            socket.pings.forEach(clearTimeout)
            sockets.delete(id)
            report('close', { id })
        })
    })
    server.listen(config.port || 0, '127.0.0.1', () => report('listening', { port: server.address().port }))

    return {
        send: (id, body) => write(sockets.get(id), body),
        request: (id, body) => requests.send(sockets.get(id), body),
        raw: (id, text) => sockets.get(id).write(text),
        disconnect: id => sockets.get(id).destroy(),
    }
}

function connect(config) {
    const requests = new Requests(config.requestTimeout || 10000)
    let socket, stopped, again

    const open = () => {
        let authenticated = false
        const mine = socket = tls.connect(config.port, config.host, config.options, () => {
            again = false
            write(mine, { password: config.password })
        })
        mine.setEncoding('utf8')
        const reader = new Reader(value => {
            if (!authenticated) {
                if (value.error) report('message', { body: value })
                if (value.authenticated === true) {
                    authenticated = true
                    report('authenticated', {})
                }
                return
            }
            if (common(requests, mine, value, (req, res) => answer(undefined, req, res))) return
            if (value.__ping) {
                if (!config.deaf) write(mine, { __pong: value.__ping })
                report('ping', { key: value.__ping })
                return
            }
            report('message', { body: value })
        })
        mine.on('data', text => reader.chunk(text))
        mine.on('error', err => {
            if (!again || err.code !== 'ECONNREFUSED') report('error', { text: err.code || err.message })
        })
        mine.on('close', () => {
            requests.failAll('connection lost')
            if (!again) report('close', {})
            if (!stopped && config.reconnectInterval) {
                again = true
                setTimeout(() => {
                    if (stopped) return
                    report('reconnectAttempt', {})
                    open()
                }, config.reconnectInterval)
            }
        })
    }
    open()

    return {
        send: (id, body) => write(socket, body),
        request: (id, body) => requests.send(socket, body),
        raw: (id, text) => socket.write(text),
        disconnect: () => {
            stopped = true
            socket.end()
            socket.destroy()
        },
    }
}

// answer answers requests, twice, but for those that ask for silence.
function answer(id, req, res) {
    report('request', { id, body: req })
    if (req.silence) return
    res.send({ echo: req })
    res.send({ second: true })
}

const config = JSON.parse(process.argv[3])
for (const name of ['key', 'cert', 'ca']) {
    if (config.options[name]) config.options[name] = fs.readFileSync(config.options[name])
}
const side = process.argv[2] === 'server' ? serve(config) : connect(config)

readline.createInterface({ input: process.stdin }).on('line', line => {
    const c = JSON.parse(line)
    switch (c.cmd) {
    case 'request':
        side.request(c.id, c.body).then(
            body => report('response', { n: c.n, body }),
            err => report('failed', { n: c.n, text: err.message }))
        break
    case 'raw':
        side.raw(c.id, c.text)
        break
    default:
        side[c.cmd](c.id, c.body)
    }
}).on('close', () => process.exit(0))
