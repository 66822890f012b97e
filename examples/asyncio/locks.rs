//! Locks.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_lock::Mutex;
use smol_servers::Timer;

use crate::bits;
use crate::python::{delay, truth};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(lock, "a lock that a callback releases"),
    task!(critical_section, "one task at a time"),
];

/// There is no release(): dropping the guard releases. `lock_arc` gives a guard that borrows nothing
/// and so can move into the callback.
pub async fn lock(ex: Ex) {
    println!("acquiring the lock before starting coroutines");
    let lock = Arc::new(Mutex::new(()));
    let guard = lock.lock_arc().await;
    println!("lock acquired: {}", truth(lock.try_lock().is_none()));
    let unlock = async {
        Timer::after(Duration::from_millis(100)).await;
        println!("callback releasing lock");
        drop(guard);
    };
    ex.spawn(unlock).detach();
    println!("waiting for coroutines");
    bits::gather(["coro1", "coro2"].map(|name| ex.spawn(coro(name, lock.clone())))).await;
}

async fn coro(name: &str, lock: Arc<Mutex<()>>) {
    println!("{name} waiting for the lock");
    let guard = lock.lock().await;
    println!("{name} acquired lock");
    drop(guard);
    println!("{name} released lock");
}

/// A Mutex has the data inside that it guards, and they are out of reach without it. On one thread it
/// is needed only where the guard is held across an `.await`; otherwise a `Cell` or `RefCell` will do.
pub async fn critical_section(ex: Ex) {
    let lock = Rc::new(Mutex::new(()));
    let tasks = ["a", "b"].map(|name| {
        let lock = lock.clone();
        ex.spawn(async move {
            println!("Сопрограмма {name} ждет возможности захватить блокировку");
            let guard = lock.lock().await;
            println!("Сопрограмма {name} находится в критической секции");
            delay(2).await;
            drop(guard);
            println!("Сопрограмма {name} освободила блокировку");
        })
    });
    bits::gather(tasks).await;
}
