// As documented: the net package and goroutines. Echo and time have a goroutine per client; chat
// has two and one that owns the room: it hears of who joins, speaks and leaves over channels and
// sends each line into the buffered channel of every other client. Go sets TCP_NODELAY, takes the
// system's backlog, and raises its own descriptor limit when it starts.
//
// Slow reader. Echo and time: its own goroutine waits for it, nobody else. Chat: when its channel
// is full too, the room waits for it; when its socket has taken nothing for five seconds, it is
// cut off.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const (
	queueLines = 256
	lineBytes  = 64 * 1024
	patience   = 5 * time.Second
)

type client struct {
	lines chan []byte
}

type message struct {
	from *client
	line []byte
}

// room is how clients reach the goroutine that knows who is in the chat.
type room struct {
	joins  chan *client
	leaves chan *client
	said   chan message
	guests atomic.Int64
}

func main() {
	if len(os.Args) != 3 {
		usage()
	}
	var handle func(net.Conn)
	switch os.Args[1] {
	case "echo":
		handle = echo
	case "time":
		handle = sendTime
	case "chat":
		r := &room{joins: make(chan *client), leaves: make(chan *client), said: make(chan message)}
		go r.run()
		handle = r.chat
	default:
		usage()
	}
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go handle(conn)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go echo|time|chat ADDR:PORT")
	os.Exit(2)
}

func echo(conn net.Conn) {
	defer conn.Close()
	io.Copy(conn, conn)
}

func sendTime(conn net.Conn) {
	defer conn.Close()
	second := time.Now().Truncate(time.Second)
	for {
		line := second.UTC().Format("2006-01-02T15:04:05Z\r\n")
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
		second = second.Add(time.Second)
		if now := time.Now().Truncate(time.Second); now.After(second) {
			second = now
		}
		time.Sleep(time.Until(second))
	}
}

// run sends each line to all but its author, for ever.
func (r *room) run() {
	clients := map[*client]bool{}
	for {
		select {
		case c := <-r.joins:
			clients[c] = true
		case c := <-r.leaves:
			delete(clients, c)
			close(c.lines)
		case m := <-r.said:
			for c := range clients {
				if c != m.from {
					c.lines <- m.line
				}
			}
		}
	}
}

func (r *room) chat(conn net.Conn) {
	name := fmt.Sprintf("guest%d", r.guests.Add(1))
	c := &client{make(chan []byte, queueLines)}
	c.lines <- []byte("*** welcome, you are " + name + "\r\n")
	r.joins <- c
	go writeLines(conn, c.lines)
	said := bufio.NewScanner(conn)
	said.Buffer(nil, lineBytes)
	for said.Scan() {
		if text := bytes.TrimSuffix(said.Bytes(), []byte("\r")); len(text) > 0 {
			r.said <- message{c, []byte(fmt.Sprintf("<%s> %s\r\n", name, text))}
		}
	}
	r.leaves <- c
}

// writeLines writes what comes and flushes when there is no more, until the client has left. When
// a write fails, the closed connection makes the client leave; until then lines are dropped.
func writeLines(conn net.Conn, lines <-chan []byte) {
	defer conn.Close()
	writer := bufio.NewWriter(conn)
	for line := range lines {
		conn.SetWriteDeadline(time.Now().Add(patience))
		_, err := writer.Write(line)
		if err == nil && len(lines) == 0 {
			err = writer.Flush()
		}
		if err != nil {
			conn.Close()
		}
	}
}
