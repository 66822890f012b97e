/*
 * What a C program can do wrong, and what it is told; and what it can do that the examples do not.
 * Prints nothing if all is as it should be.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <smolchat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The call returns this code, and smolchat_error says this. */
#define FAILS(call, code, said) fails(call, code, said, #call)

static void fails(int is, int code, const char *said, const char *call)
{
    if (is != code || strstr(smolchat_error(), said) == NULL) {
        printf("%s: %d and \"%s\", not %d and \"%s\"\n", call, is, smolchat_error(), code, said);
        exit(1);
    }
}

static void is(long is, long expected, const char *what)
{
    if (is != expected) {
        printf("%s: %ld, not %ld (%s)\n", what, is, expected, smolchat_error());
        exit(1);
    }
}

static void null_pointers(void)
{
    smolchat *chat = NULL;
    struct smolchat_event event;
    int wait;

    is(smolchat_error()[0], 0, "no error yet");
    FAILS(smolchat_new(NULL, NULL), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_fd(NULL), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_turn(NULL, &wait), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_next(NULL, &event), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_say(NULL, "hi"), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_admit(NULL, -1), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_stop(NULL), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_port(NULL), SMOLCHAT_NULL, "the pointer chat is NULL");
    FAILS(smolchat_free(NULL), SMOLCHAT_NULL, "the pointer chat is NULL");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freeing nothing");

    is(smolchat_new(&chat, ""), SMOLCHAT_OK, "a chat that listens nowhere");
    FAILS(smolchat_turn(chat, NULL), SMOLCHAT_NULL, "the pointer wait is NULL");
    FAILS(smolchat_next(chat, NULL), SMOLCHAT_NULL, "the pointer event is NULL");
    FAILS(smolchat_say(chat, NULL), SMOLCHAT_NULL, "the pointer line is NULL");
    is(smolchat_port(chat), 0, "no port");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
    is(chat == NULL, 1, "NULL once freed");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed twice");
}

static void addresses(void)
{
    smolchat *chat, *other = (smolchat *)&chat;
    char taken[64];

    FAILS(smolchat_new(&other, "localhost:80"), SMOLCHAT_ADDRESS,
          "'localhost:80' is no address; give IP:PORT such as 127.0.0.1:8002");
    is(other == NULL, 1, "NULL after an error");
    FAILS(smolchat_new(&other, "127.0.0.1:0 8002"), SMOLCHAT_ADDRESS, "'8002' is no address");
    FAILS(smolchat_new(&other, "\xff"), SMOLCHAT_ADDRESS, "is no address");
    FAILS(smolchat_new(&other, "unix:"), SMOLCHAT_ADDRESS, "the path of a file");
    FAILS(smolchat_new(&other, "unix:/nowhere/chat.sock"), SMOLCHAT_LISTEN,
          "cannot listen on unix:/nowhere/chat.sock: there is no directory /nowhere");
    FAILS(smolchat_new(&other, "198.51.100.1:0"), SMOLCHAT_LISTEN,
          "not an address of this machine");
    is(smolchat_new(&chat, " 127.0.0.1:0 unix:chat.sock "), SMOLCHAT_OK, "listening");
    sprintf(taken, "127.0.0.1:%d", smolchat_port(chat));
    FAILS(smolchat_new(&other, taken), SMOLCHAT_LISTEN, "in use");
    FAILS(smolchat_new(&other, "unix:chat.sock"), SMOLCHAT_LISTEN, "another program listens there");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
    is(access("chat.sock", F_OK), -1, "its file is gone");
}

static void *other_thread(void *argument)
{
    smolchat *chat = argument;
    struct smolchat_event event;
    int wait, tube[2];

    FAILS(smolchat_fd(chat), SMOLCHAT_THREAD, "belongs to another thread");
    FAILS(smolchat_turn(chat, &wait), SMOLCHAT_THREAD, "belongs to another thread");
    FAILS(smolchat_next(chat, &event), SMOLCHAT_THREAD, "belongs to another thread");
    FAILS(smolchat_say(chat, "hi"), SMOLCHAT_THREAD, "belongs to another thread");
    is(pipe(tube), 0, "a pipe");
    FAILS(smolchat_admit(chat, tube[0]), SMOLCHAT_THREAD, "belongs to another thread");
    FAILS(smolchat_stop(chat), SMOLCHAT_THREAD, "belongs to another thread");
    FAILS(smolchat_port(chat), SMOLCHAT_THREAD, "belongs to another thread");
    FAILS(smolchat_free(&chat), SMOLCHAT_THREAD, "belongs to another thread");
    is(chat == argument, 1, "not freed");
    is(fcntl(tube[0], F_GETFD), -1, "closed all the same");
    close(tube[1]);
    /* One of its own it may have. */
    is(smolchat_new(&chat, ""), SMOLCHAT_OK, "a chat of this thread");
    is(smolchat_turn(chat, &wait), SMOLCHAT_OK, "its turn");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
    return NULL;
}

static void threads(void)
{
    smolchat *chat;
    pthread_t thread;
    int i, wait;

    is(smolchat_new(&chat, ""), SMOLCHAT_OK, "a chat that listens nowhere");
    is(pthread_create(&thread, NULL, other_thread, chat), 0, "a thread");
    for (i = 0; i < 1000; i++)
        is(smolchat_turn(chat, &wait), SMOLCHAT_OK, "a turn meanwhile");
    is(pthread_join(thread, NULL), 0, "a thread");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
}

/* Takes turns until the person's end has something to read. */
static void until_readable(smolchat *chat, int person)
{
    struct pollfd fds[] = {{smolchat_fd(chat), POLLIN, 0}, {person, POLLIN, 0}};
    int wait;

    do {
        is(smolchat_turn(chat, &wait), SMOLCHAT_OK, "a turn");
        poll(fds, 2, wait);
    } while (fds[1].revents == 0);
}

static void admitting(void)
{
    smolchat *chat;
    struct smolchat_event event;
    int wait, code, ends[2], tube[2];
    char line[1002];

    is(smolchat_new(&chat, ""), SMOLCHAT_OK, "a chat that listens nowhere");
    FAILS(smolchat_admit(chat, -1), SMOLCHAT_SOCKET, "descriptor -1 is not open");
    FAILS(smolchat_admit(chat, 999), SMOLCHAT_SOCKET, "descriptor 999 is not open");
    is(pipe(tube), 0, "a pipe");
    FAILS(smolchat_admit(chat, tube[0]), SMOLCHAT_SOCKET, "no connected stream socket");
    is(fcntl(tube[0], F_GETFD), -1, "closed by the chat");
    close(tube[1]);
    is(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0, "two sockets");
    is(smolchat_admit(chat, ends[0]), SMOLCHAT_OK, "admitted at once");
    until_readable(chat, ends[1]);
    is(smolchat_next(chat, &event), 1, "an event");
    is(event.kind, SMOLCHAT_JOINED, "who came");
    is(strcmp(event.name, "guest1") | strcmp(event.text, "joined"), 0, "in words");

    /* The longest text: each byte of it is shown as three. */
    memset(line, 0xff - 1, 1000);
    line[1000] = '\r', line[1001] = '\n';
    is(write(ends[1], line, sizeof line), sizeof line, "sent");
    do {
        is(smolchat_turn(chat, &wait), SMOLCHAT_OK, "a turn");
    } while ((code = smolchat_next(chat, &event)) == 0);
    is(code, 1, "an event");
    is(event.kind, SMOLCHAT_SAID, "what was said");
    is(strlen(event.text), SMOLCHAT_TEXT_SIZE - 1, "whole");
    is(event.missed, 0, "and nothing is missed");

    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
    close(ends[1]);
}

/* Takes turns until all that was sent is read. */
static void settle(smolchat *chat)
{
    struct pollfd readable = {smolchat_fd(chat), POLLIN, 0};
    int wait;

    do {
        is(smolchat_turn(chat, &wait), SMOLCHAT_OK, "a turn");
    } while (wait == 0 || poll(&readable, 1, 0) > 0);
}

/* Two people say more than is kept for a host that takes no event. */
static void missing(void)
{
    smolchat *chat;
    struct smolchat_event event;
    int i, person, ends[2][2];
    char lines[3 * 600];

    is(smolchat_new(&chat, ""), SMOLCHAT_OK, "a chat that listens nowhere");
    for (person = 0; person < 2; person++) {
        is(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[person]), 0, "two sockets");
        is(smolchat_admit(chat, ends[person][0]), SMOLCHAT_OK, "admitted");
        for (i = 0; i < 600; i++)
            memcpy(lines + 3 * i, "x\r\n", 3);
        is(write(ends[person][1], lines, sizeof lines), sizeof lines, "sent");
        settle(chat);
    }
    for (i = 0; smolchat_next(chat, &event) == 1; i++)
        is(event.missed, 0, "none is missed between them");
    is(i, 1024, "kept");
    shutdown(ends[0][1], SHUT_WR);
    settle(chat);
    is(smolchat_next(chat, &event), 1, "an event");
    is(event.kind, SMOLCHAT_MISSED, "some are missed");
    is(event.missed, 2 * 601 - 1024, "so many");
    is(smolchat_next(chat, &event), 1, "an event");
    is(event.kind, SMOLCHAT_LEFT, "who left");
    is(strcmp(event.name, "guest1") | strcmp(event.text, "left"), 0, "in words");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
    close(ends[0][1]);
    close(ends[1][1]);
}

/* They share a descriptor, so each takes a turn when it is readable, in any order. */
static void two_on_a_thread(void)
{
    smolchat *chats[2];
    struct pollfd fds[3];
    int i, wait, shortest, served = 0, ends[2];

    for (i = 0; i < 2; i++) {
        is(smolchat_new(&chats[i], ""), SMOLCHAT_OK, "a chat that listens nowhere");
        is(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0, "two sockets");
        is(smolchat_admit(chats[i], ends[0]), SMOLCHAT_OK, "admitted");
        fds[i] = (struct pollfd){ends[1], POLLIN, 0};
    }
    fds[2] = (struct pollfd){smolchat_fd(chats[0]), POLLIN, 0};
    is(smolchat_fd(chats[1]), fds[2].fd, "the same descriptor");
    while (served < 2) {
        shortest = -1;
        for (i = 0; i < 2; i++) {
            is(smolchat_turn(chats[i], &wait), SMOLCHAT_OK, "a turn");
            if (wait >= 0 && (shortest < 0 || wait < shortest))
                shortest = wait;
        }
        poll(fds, 3, shortest);
        for (i = 0; i < 2; i++) {
            if (fds[i].revents != 0) {
                close(fds[i].fd);
                fds[i].fd = -1;
                served++;
            }
        }
    }
    for (i = 0; i < 2; i++)
        is(smolchat_free(&chats[i]), SMOLCHAT_OK, "freed");
}

static void ending(void)
{
    smolchat *chat;
    struct smolchat_event event;
    int code, wait, tube[2];

    is(smolchat_new(&chat, ""), SMOLCHAT_OK, "a chat that listens nowhere");
    is(smolchat_stop(chat), SMOLCHAT_OK, "stopped");
    is(smolchat_stop(chat), SMOLCHAT_OK, "stopped twice");
    is(pipe(tube), 0, "a pipe");
    is(smolchat_admit(chat, tube[0]), SMOLCHAT_ENDED, "nobody comes in");
    is(fcntl(tube[0], F_GETFD), -1, "closed by the chat");
    close(tube[1]);
    while ((code = smolchat_turn(chat, &wait)) == SMOLCHAT_OK)
        ;
    is(code, SMOLCHAT_ENDED, "the end");
    is(smolchat_turn(chat, &wait), SMOLCHAT_ENDED, "still the end");
    is(wait, -1, "without a limit");
    is(smolchat_say(chat, "hi"), SMOLCHAT_ENDED, "nobody hears");
    is(smolchat_next(chat, &event), 0, "no event");
    is(smolchat_free(&chat), SMOLCHAT_OK, "freed");
}

int main(void)
{
    /* Seconds, after which it has hung. */
    alarm(60);
    null_pointers();
    addresses();
    threads();
    admitting();
    missing();
    two_on_a_thread();
    ending();
    return 0;
}
