/* A chat on poll(2): prints what happens in it, until Enter is pressed. */
#include <poll.h>
#include <smolchat.h>
#include <stdio.h>

int main(int argc, char **argv) {
    smolchat *chat;
    struct smolchat_event event;
    int code, wait;
    if (smolchat_new(&chat, argc > 1 ? argv[1] : NULL) != SMOLCHAT_OK)
        return fprintf(stderr, "%s\n", smolchat_error()), 1;
    fprintf(stderr, "telnet localhost %d\n", smolchat_port(chat));
    struct pollfd fds[] = {{smolchat_fd(chat), POLLIN, 0}, {0, POLLIN, 0}};
    while ((code = smolchat_turn(chat, &wait)) == SMOLCHAT_OK) {
        while (smolchat_next(chat, &event) > 0)
            fprintf(stderr, "%s: %s\n", event.name, event.text);
        if (poll(fds, 2, wait) > 0 && fds[1].revents != 0)
            fds[1].fd = -1, smolchat_stop(chat);
    }
    smolchat_free(&chat);
    return code < 0 ? fprintf(stderr, "%s\n", smolchat_error()), 1 : 0;
}
