/*
 * A chat in a GLib main loop, beside the program's other sources: prints what happens in it, says
 * what is typed, and ends with the input. Give it addresses if you like.
 */
#include <glib-unix.h>
#include <smolchat.h>
#include <unistd.h>

/* A source is a struct of the program's own that begins with GLib's. */
struct chat_source {
    GSource source;
    smolchat *chat;
    GMainLoop *loop;
};

static gboolean turn(GSource *source, GSourceFunc unused, gpointer also_unused)
{
    struct chat_source *self = (struct chat_source *)source;
    struct smolchat_event event;
    int wait, code = smolchat_turn(self->chat, &wait);

    (void)unused, (void)also_unused;
    while (smolchat_next(self->chat, &event) > 0)
        g_printerr("%s: %s\n", event.name, event.text);
    if (code < 0)
        g_printerr("%s\n", smolchat_error());
    if (code != SMOLCHAT_OK) {
        g_main_loop_quit(self->loop);
        return G_SOURCE_REMOVE;
    }
    /* GLib counts microseconds. */
    g_source_set_ready_time(source,
                            wait < 0 ? -1 : g_get_monotonic_time() + (gint64)wait * 1000);
    return G_SOURCE_CONTINUE;
}

static gboolean typed(gint fd, GIOCondition unused, gpointer chat)
{
    char line[4096];
    ssize_t n = read(fd, line, sizeof line - 1);

    (void)unused;
    if (n <= 0) {
        smolchat_stop(chat);
        return G_SOURCE_REMOVE;
    }
    line[n] = '\0';
    smolchat_say(chat, line);
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    static GSourceFuncs functions = {NULL, NULL, turn, NULL, NULL, NULL};
    struct chat_source *self;
    smolchat *chat;

    if (smolchat_new(&chat, argc > 1 ? argv[1] : NULL) != SMOLCHAT_OK) {
        g_printerr("%s\n", smolchat_error());
        return 1;
    }
    g_printerr("telnet localhost %d\n", smolchat_port(chat));
    self = (struct chat_source *)g_source_new(&functions, sizeof *self);
    self->chat = chat;
    self->loop = g_main_loop_new(NULL, FALSE);
    g_source_add_unix_fd(&self->source, smolchat_fd(chat), G_IO_IN);
    g_source_set_ready_time(&self->source, 0);
    g_source_attach(&self->source, NULL);
    g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, typed, chat);
    g_main_loop_run(self->loop);
    g_main_loop_unref(self->loop);
    g_source_unref(&self->source);
    return smolchat_free(&chat) == SMOLCHAT_OK ? 0 : 1;
}
