//! What the pieces of asyncio do where they are used wrongly.

#[expect(unreachable_pub, reason = "it is copied from there into other crates")]
#[path = "../../../examples/asyncio/bits/queue.rs"]
mod queue;

use queue::Queue;
use smol_servers::block_on;

#[test]
fn queue_is_joined_when_each_item_is_done() {
    let queue = Queue::new(1);
    block_on(async {
        queue.put("item").await;
        assert_eq!(queue.get().await, "item");
        queue.task_done();
        queue.join().await;
    });
}

#[test]
#[should_panic(expected = "task_done() called too many times")]
fn task_done_once_too_often_panics_as_asyncio_raises() {
    Queue::<()>::new(1).task_done();
}

#[test]
#[should_panic(expected = "capacity cannot be zero")]
fn queue_of_size_0_panics() {
    Queue::<()>::new(0);
}
