/*
 * A chat in the event loop of a C program: people come with telnet, PuTTY or nc, and what one of
 * them writes, all others read. For Linux. No call ever waits. The library starts no thread,
 * installs no signal handler, raises no SIGPIPE, and prints nothing (but for SMOLCHAT_DEFECT).
 *
 *     smolchat_new     listens
 *     loop:
 *         smolchat_turn    does what is ready, and says how long the loop may wait
 *         smolchat_next    what happened, one event a call, until it returns 0
 *         wait             until smolchat_fd is readable, or so long
 *     smolchat_stop    ends the chat politely, by further turns
 *     smolchat_free
 *
 * Errors: a function that fails returns a negative code, and smolchat_error says in words what is
 * wrong. Each can return SMOLCHAT_NULL, SMOLCHAT_THREAD and SMOLCHAT_DEFECT; further ones are named
 * with it. errno says nothing.
 *
 * Threads: a chat belongs to the thread that made it, which also frees it before it ends. A call
 * from another thread does nothing and returns SMOLCHAT_THREAD; but no thread may use a chat that
 * another one frees. Each thread can have chats of its own. A signal handler calls nothing here: let
 * it write to a pipe that the loop waits for. After fork(2) only the parent may use the chats there
 * are.
 *
 * The process: smolchat_new raises the soft limit on open files (RLIMIT_NOFILE) up to the hard
 * limit: each person takes a descriptor, and at least 32 are left to the process. Lower the hard
 * limit first to have fewer people. Descriptors can then be too large for select(2); use poll(2).
 */
#ifndef SMOLCHAT_H
#define SMOLCHAT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return. */
enum {
    SMOLCHAT_OK = 0,
    /* The chat has ended, as smolchat_stop asked. Not an error. */
    SMOLCHAT_ENDED = 1,
    /* A pointer is NULL that must not be. */
    SMOLCHAT_NULL = -1,
    /* Called from another thread than smolchat_new, or by a signal handler during another call. */
    SMOLCHAT_THREAD = -2,
    /* A text is no address. */
    SMOLCHAT_ADDRESS = -3,
    /* The address cannot be listened on: another program has it, or there is no right to it. */
    SMOLCHAT_LISTEN = -4,
    /* A descriptor is no connected stream socket. */
    SMOLCHAT_SOCKET = -5,
    /* The system has no descriptors or no memory left. */
    SMOLCHAT_SYSTEM = -6,
    /* A defect of this library; it is on standard error too. The chat can only be freed. */
    SMOLCHAT_DEFECT = -7
};

/* The kinds of events. Later versions may have more: pass over those you do not know. */
enum {
    /* A person said a line. */
    SMOLCHAT_SAID = 1,
    /* A person came in. */
    SMOLCHAT_JOINED = 2,
    /* A person left. */
    SMOLCHAT_LEFT = 3,
    /* Events are lost: they came while 1024 waited to be taken. */
    SMOLCHAT_MISSED = 4
};

/* Bytes that a name and a text can have, with the NUL at their end. */
#define SMOLCHAT_NAME_SIZE 65
#define SMOLCHAT_TEXT_SIZE 3001

/* Something that happened: a copy, which stays as it is. */
struct smolchat_event {
    /* Such as SMOLCHAT_SAID. */
    int kind;
    /* How many events are lost, with SMOLCHAT_MISSED; otherwise 0. */
    uint64_t missed;
    /* Who, in UTF-8; "" with SMOLCHAT_MISSED. */
    char name[SMOLCHAT_NAME_SIZE];
    /* What was said, in UTF-8, without control characters or the line's end; with the other kinds
     * what happened, such as "joined" or "connection lost". */
    char text[SMOLCHAT_TEXT_SIZE];
};

/* A chat. */
typedef struct smolchat smolchat;

/*
 * Makes a chat and listens. *chat is to be freed by smolchat_free; it is NULL if this fails.
 *
 * addresses: where to listen, separated by spaces, such as 192.0.2.1:8002, [2001:db8::1]:8002 and
 * unix:/run/chat.sock; names are not resolved. 0.0.0.0:8002 or [::]:8002 is open to the network.
 * With port 0 the system chooses, see smolchat_port. NULL is 127.0.0.1:8002, for this machine only.
 * "" is nowhere, for a host that accepts connections itself, see smolchat_admit.
 *
 * The file of a unix socket has the mode 0660, replaces one that nobody listens on any more, and is
 * removed by smolchat_stop or smolchat_free. While it is made, the umask of the process is another
 * one, so no other thread should create files then.
 *
 * SMOLCHAT_ADDRESS, SMOLCHAT_LISTEN, SMOLCHAT_SYSTEM.
 */
int smolchat_new(smolchat **chat, const char *addresses);

/*
 * The descriptor to wait for: a turn is due when it is readable. It stays the same, and all chats
 * of a thread share it: when it is readable, each of them takes a turn. Do not read or close it.
 */
int smolchat_fd(const smolchat *chat);

/*
 * Does what is ready: lets people in, reads what they write, sends it to the others. Call it before
 * the first wait, then whenever smolchat_fd is readable or *wait is over; once too often does no
 * harm. *wait is in milliseconds, 0 for at once, -1 for no limit, as poll(2) takes it.
 *
 * A loop that is told of edges only (EPOLLET) misses nothing: while work is left, *wait is 0.
 *
 * SMOLCHAT_ENDED once the chat is over; *wait is -1 then. SMOLCHAT_SYSTEM.
 */
int smolchat_turn(smolchat *chat, int *wait);

/*
 * Takes the next event: 1 if there was one, which is in *event then, or 0. Events come about in
 * smolchat_turn, and can be taken after the chat has ended too. 1024 of them are kept, which is 4
 * MB at most; if more come, SMOLCHAT_MISSED says how many, just before the next one that is kept. A
 * host that wants no events need not call this.
 */
int smolchat_next(smolchat *chat, struct smolchat_event *event);

/*
 * Says a line to everyone, in UTF-8. Line ends in it become spaces, control characters are taken
 * out, and what goes beyond 4 KiB is lost. It is shown as it is: begin it with "*** ", as no person
 * can, so that nobody is taken for its author. The next turn sends it, for which smolchat_fd
 * becomes readable; it is no event.
 *
 * SMOLCHAT_ENDED once the chat is over: nobody reads it.
 */
int smolchat_say(smolchat *chat, const char *line);

/*
 * Takes a connected stream socket, over TCP or of a unix socket, as if the chat had accepted it.
 * The descriptor is the chat's from then on, which closes it, whatever this returns: do not use or
 * close it.
 *
 * SMOLCHAT_ENDED after smolchat_stop. SMOLCHAT_SOCKET, SMOLCHAT_SYSTEM.
 */
int smolchat_admit(smolchat *chat, int fd);

/*
 * Ends the chat: nobody can come in any more, and all read a goodbye. It is over when smolchat_turn
 * returns SMOLCHAT_ENDED, within 2 seconds of turns. A second call does nothing.
 */
int smolchat_stop(smolchat *chat);

/* The port of the first address that is no unix socket, or 0 if there is none. */
int smolchat_port(const smolchat *chat);

/*
 * Frees the chat and sets *chat to NULL; does nothing if it is NULL already. All connections close
 * at once, so without a goodbye if smolchat_turn has not returned SMOLCHAT_ENDED. Two descriptors
 * stay open until the thread ends, for its next chat.
 */
int smolchat_free(smolchat **chat);

/*
 * Why the last call that failed on this thread did: one line, in UTF-8; "" if none has failed.
 * Valid until the next one that fails.
 */
const char *smolchat_error(void);

#ifdef __cplusplus
}
#endif

#endif
