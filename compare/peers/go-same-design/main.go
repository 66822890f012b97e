// Same design: the algorithm of smol-servers on Go's goroutines and its network poller.
//
// One bounded log of lines for the room; a cursor and a bell (sync.Cond) for each member; for each
// client a goroutine that reads and one that writes, which takes all from its cursor to the end with
// one write. Reads and writes are made within RawConn, which tries first and waits after: so a client
// takes a buffer only when there is something to read, where each Read of net would hold one, and a
// deadline is set only where a write is blocked. A busy room pauses: it rings at once while it is
// quiet, then at the end of each pause. Go sets TCP_NODELAY for each client, takes the system's
// backlog (4096, where that is not changed), and raises its own descriptor limit when it starts. It
// preempts what runs long, so nobody gives way after so many lines or accepts.
// Left out: telnet, cleaning of text, limits on clients, join and leave notices, log and figures.
//
// Slow reader. Echo: it is not read from. Time: it skips to the newest line. Chat: one that is more
// than 1 MiB behind is told how many lines it missed and goes on from the oldest kept. In all
// three, it is cut off when it has output waiting and takes no byte for 30 s.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// Bytes of one read and of one write.
	chunkBytes = 16 * 1024
	// Bytes that a client says in one line; what is longer becomes several.
	lineBytes = 4 * 1024
	// Bytes the chat's log keeps, what a line costs there beside its own, and more lines than fit.
	logBytes   = 1024 * 1024
	entryBytes = 16
	logLines   = logBytes / entryBytes
	// What each member adds to a pause of the chat, and the longest one.
	pauseForEach = 100 * time.Microsecond
	longestPause = 10 * time.Millisecond
	// Bytes that may wait for the end of a pause.
	waitingBytes = 8 * 1024
	// Time in which a socket must take a byte.
	stall = 30 * time.Second
	// Time for what one who leaves still has to read.
	grace = 2 * time.Second
	// The line before which one leaves who has not left.
	never = ^uint64(0)
)

// chunks are taken to read and to write, never to wait.
var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

type member struct {
	bell   sync.Cond
	cursor uint64
	// The line before which it left.
	until uint64
	// Lines of its own that the log dropped after its cursor.
	ownDropped uint64
	// Bytes for it alone, before the lines at its cursor.
	told []byte
}

// room has lines in a ring of bytes, line n at entries[n%logLines], and the members that wait.
type room struct {
	mu      sync.Mutex
	bytes   [logBytes]byte
	entries [logLines]entry
	// Numbers of the oldest line kept and of the next; bytes ever logged.
	first, next, end uint64
	limit            uint64
	waiting          []*member
	// Number of the first line that nobody was woken for yet, and bytes of those from there on.
	rung    uint64
	unrung  int
	present int
	pauses  bool
}

type entry struct {
	// Bytes ever logged before this line.
	start  uint64
	author *member
}

func main() {
	if len(os.Args) != 3 {
		usage()
	}
	r, sendBuffer := &room{}, 16*1024
	var serve func(conn *net.TCPConn, guest int)
	switch os.Args[1] {
	case "echo":
		sendBuffer = 64 * 1024
		serve = func(conn *net.TCPConn, _ int) { echo(conn) }
	case "time":
		go r.tick()
		serve = func(conn *net.TCPConn, _ int) { r.takePart(conn, timeLine(), nil) }
	case "chat":
		r.limit = logBytes
		serve = func(conn *net.TCPConn, guest int) {
			welcome := fmt.Sprintf("*** welcome, you are guest%d\r\n", guest)
			r.takePart(conn, []byte(welcome), []byte(fmt.Sprintf("<guest%d> ", guest)))
		}
	default:
		usage()
	}
	listener, err := listen(os.Args[2], sendBuffer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for guest := 1; ; {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go serve(conn.(*net.TCPConn), guest)
		guest++
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go-same-design echo|time|chat ADDR:PORT")
	os.Exit(2)
}

func listen(address string, sendBuffer int) (net.Listener, error) {
	config := net.ListenConfig{
		// Otherwise Go sets three options for each client, and has it probed every 15 s.
		KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) (err error) {
			raw.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer)
			})
			return err
		},
	}
	return config.Listen(context.Background(), "tcp", address)
}

// receive hands what it reads to use, until there is no more or use fails.
func receive(conn *net.TCPConn, use func(input []byte) error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		chunk := chunks.Get().(*[chunkBytes]byte)
		defer chunks.Put(chunk)
		for {
			n, err := syscall.Read(int(fd), chunk[:])
			if err == syscall.EAGAIN {
				return false
			} else if err != nil || n == 0 || use(chunk[:n]) != nil {
				return true
			}
		}
	})
}

// sender returns what writes to a client; that fails when the client takes no byte in time.
func sender(conn *net.TCPConn) func(output []byte) error {
	var rest []byte
	isTimed := false
	raw, err := conn.SyscallConn()
	write := func(fd uintptr) bool {
		for len(rest) > 0 {
			var n int
			if n, err = syscall.Write(int(fd), rest); err == syscall.EAGAIN {
				isTimed = true
				conn.SetWriteDeadline(time.Now().Add(stall))
				return false
			} else if err != nil {
				return true
			}
			rest = rest[n:]
		}
		// Nobody holds on to a chunk that is given back.
		rest = nil
		return true
	}
	return func(output []byte) error {
		if err != nil {
			return err
		}
		rest = output
		if late := raw.Write(write); late != nil {
			return late
		}
		if isTimed {
			isTimed = false
			conn.SetWriteDeadline(time.Time{})
		}
		return err
	}
}

func echo(conn *net.TCPConn) {
	receive(conn, sender(conn))
	conn.Close()
}

// takePart makes it a member of the room, until it leaves; one without a name only listens.
func (r *room) takePart(conn *net.TCPConn, welcome, name []byte) {
	m := r.join(welcome)
	go func() {
		r.listen(m, conn, name)
		r.leave(m)
		time.AfterFunc(grace, func() { conn.Close() })
	}()
	r.pump(m, conn)
	conn.Close()
}

// listen passes the lines of a member on, until it says no more.
func (r *room) listen(m *member, conn *net.TCPConn, name []byte) {
	var unfinished []byte
	say := func(line []byte) {
		if text := bytes.TrimSuffix(line, []byte("\r")); len(text) > 0 {
			r.publish(m, name, text, []byte("\r\n"))
		}
	}
	receive(conn, func(input []byte) error {
		if name == nil {
			return nil
		}
		if len(unfinished) > 0 {
			input = append(unfinished, input...)
		}
		for {
			line, rest, found := bytes.Cut(input, []byte("\n"))
			if len(line) >= lineBytes {
				line, rest = input[:lineBytes], input[lineBytes:]
			} else if !found {
				unfinished = append([]byte(nil), line...)
				return nil
			}
			say(line)
			input = rest
		}
	})
	say(unfinished)
}

// pump writes what the member is due, until it has left and taken all of it, or takes nothing.
func (r *room) pump(m *member, conn *net.TCPConn) {
	send := sender(conn)
	for r.wait(m) {
		chunk := chunks.Get().(*[chunkBytes]byte)
		err := send(r.take(m, chunk[:0]))
		chunks.Put(chunk)
		if err != nil {
			return
		}
	}
}

// tick is one ticker for everybody.
func (r *room) tick() {
	for {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		r.publish(nil, timeLine())
	}
}

func (r *room) join(welcome []byte) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present++
	m := &member{cursor: r.next, until: never, told: welcome}
	m.bell.L = &r.mu
	return m
}

func (r *room) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present--
	m.until = r.next
	for i, waiting := range r.waiting {
		if waiting == m {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			break
		}
	}
	m.bell.Signal()
}

// publish appends a line, drops the oldest over the limit, and rings unless the room pauses.
func (r *room) publish(author *member, parts ...[]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := uint64(0)
	for _, part := range parts {
		size += uint64(len(part))
	}
	for r.first < r.next && r.end-r.start(r.first)+size+(r.next-r.first+1)*entryBytes > r.limit {
		r.dropOldest()
	}
	r.entries[r.next%logLines] = entry{r.end, author}
	for _, part := range parts {
		n := copy(r.bytes[r.end%logBytes:], part)
		copy(r.bytes[:], part[n:])
		r.end += uint64(len(part))
	}
	r.next++
	r.unrung += int(size) + entryBytes
	if !r.pauses || r.unrung >= waitingBytes {
		r.ring()
	}
	// A room that keeps no lines has none to gather.
	if !r.pauses && r.limit > 0 {
		r.pause()
	}
}

func (r *room) dropOldest() {
	oldest := &r.entries[r.first%logLines]
	if author := oldest.author; author != nil && author.cursor <= r.first {
		author.ownDropped++
	}
	oldest.author = nil
	r.first++
}

// ring rings the bells of those who wait.
func (r *room) ring() {
	r.rung, r.unrung = r.next, 0
	for _, m := range r.waiting {
		m.bell.Signal()
	}
	r.waiting = r.waiting[:0]
}

func (r *room) pause() {
	r.pauses = true
	pause := time.Duration(r.present) * pauseForEach
	if pause > longestPause {
		pause = longestPause
	}
	time.AfterFunc(pause, r.endPause)
}

// endPause begins another pause, or the room is quiet again.
func (r *room) endPause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pauses = r.unrung > 0
	if r.pauses {
		r.ring()
		r.pause()
	}
}

// wait waits until something is due; false when the member has left and taken all of it.
func (r *room) wait(m *member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(m.told) == 0 && m.cursor >= r.rung && m.until == never {
		r.waiting = append(r.waiting, m)
		m.bell.Wait()
	}
	return len(m.told) > 0 || m.cursor < m.until
}

// take appends to chunk what m is due, in whole lines of others, and moves past it.
func (r *room) take(m *member, chunk []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.catchUp(m)
	chunk = append(chunk, m.told...)
	m.told = nil
	for m.cursor < r.next && m.cursor < m.until {
		if r.entries[m.cursor%logLines].author != m {
			start, end := r.start(m.cursor), r.start(m.cursor+1)
			if len(chunk)+int(end-start) > cap(chunk) {
				break
			}
			chunk = r.copy(chunk, start, end)
		}
		m.cursor++
	}
	return chunk
}

// catchUp tells m how many lines of others the log dropped before it came to them.
func (r *room) catchUp(m *member) {
	reach := r.first
	if reach > m.until {
		reach = m.until
	}
	if m.cursor < reach {
		missed := reach - m.cursor - m.ownDropped
		m.cursor, m.ownDropped = reach, 0
		if missed > 0 && r.limit > 0 {
			m.told = append(m.told, fmt.Sprintf("*** you missed %d lines\r\n", missed)...)
		}
	}
}

// start is how many bytes were ever logged before a line kept; for the next line, will have been.
func (r *room) start(number uint64) uint64 {
	if number == r.next {
		return r.end
	}
	return r.entries[number%logLines].start
}

// copy appends the bytes logged from start to end, which are in two parts where the ring wraps.
func (r *room) copy(chunk []byte, start, end uint64) []byte {
	from, to := start%logBytes, end%logBytes
	if from <= to {
		return append(chunk, r.bytes[from:to]...)
	}
	return append(append(chunk, r.bytes[from:]...), r.bytes[:to]...)
}

func timeLine() []byte {
	return []byte(time.Now().UTC().Format("2006-01-02T15:04:05Z\r\n"))
}
