#!/usr/bin/env node
// As documented: the events of Node's net module, one callback per chunk. The lines of one chunk
// go to a client in one write. Node raises its own descriptor limit when it starts.
//
// Slow reader. Echo: pipe() stops reading from it. Time: a line that finds the one before still
// unsent is skipped. Chat: who speaks is paused until it drains; after five seconds without that
// it is cut off, so what waits for it is bounded.
'use strict';

const net = require('node:net');

const BACKLOG = 4096;
const LINE_CHARS = 64 * 1024;
const PATIENCE_MS = 5000;

/** Clients of the time or of the chat. */
const sockets = new Set();
let guests = 0;

function echo(socket) {
  socket.pipe(socket);
}

function time(socket) {
  socket.write(timeLine());
  socket.resume();
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
}

function timeLine() {
  return `${new Date().toISOString().slice(0, 19)}Z\r\n`;
}

/** Ticks just behind each full second; a timer that fired early has to wait again. */
function tick(last) {
  const line = timeLine();
  if (line !== last) {
    for (const socket of sockets) {
      if (socket.writableLength === 0) socket.write(line);
    }
  }
  setTimeout(tick, 1001 - (Date.now() % 1000), line);
}

function chat(socket) {
  const name = `guest${++guests}`;
  let unfinished = '';
  // Every byte is one character: what a client sends is passed on as it is.
  socket.setEncoding('latin1');
  socket.write(`*** welcome, you are ${name}\r\n`);
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('data', (chunk) => {
    const lines = (unfinished + chunk).split('\n');
    unfinished = lines.pop();
    if (unfinished.length > LINE_CHARS) {
      lines.push(unfinished);
      unfinished = '';
    }
    say(socket, name, lines);
  });
  socket.on('end', () => say(socket, name, [unfinished]));
}

function say(speaker, name, lines) {
  let said = '';
  for (const line of lines) {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text !== '') said += `<${name}> ${text}\r\n`;
  }
  if (said === '') return;
  for (const socket of sockets) {
    if (socket !== speaker && !socket.write(said, 'latin1')) waitFor(socket, speaker);
  }
}

/** Pauses the speaker until the socket drains or is gone. */
function waitFor(socket, speaker) {
  speaker.waitsFor ??= new Set();
  socket.speakers ??= new Set();
  speaker.waitsFor.add(socket);
  socket.speakers.add(speaker);
  speaker.pause();
  if (socket.speakers.size > 1) return;
  const release = () => {
    clearTimeout(patience);
    socket.off('drain', release).off('close', release);
    for (const waiting of socket.speakers) {
      waiting.waitsFor.delete(socket);
      if (waiting.waitsFor.size === 0) waiting.resume();
    }
    socket.speakers.clear();
  };
  const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
  socket.on('drain', release).on('close', release);
}

const [kind, address = ''] = process.argv.slice(2);
const handler = { echo, time, chat }[kind];
const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(address) ?? [];
if (!handler || !port) {
  process.stderr.write('usage: server.js echo|time|chat ADDR:PORT\n');
  process.exit(2);
}
const server = net.createServer((socket) => {
  socket.on('error', () => {});
  handler(socket);
});
server.on('error', (error) => {
  process.stderr.write(`cannot listen on ${address}: ${error.code}\n`);
  process.exit(1);
});
server.listen(Number(port), host, BACKLOG);
if (kind === 'time') tick(timeLine());
