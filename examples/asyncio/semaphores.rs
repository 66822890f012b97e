//! Semaphores.

use std::rc::Rc;
use std::time::Duration;

use async_lock::Semaphore;
use smol_servers::Timer;

use crate::bits;
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[task!(semaphore, "two at a time")];

/// A permit is a guard: dropping it gives it back, so none is ever given back twice, which is what
/// asyncio has a BoundedSemaphore for.
pub async fn semaphore(ex: Ex) {
    let semaphore = Rc::new(Semaphore::new(2));
    let operations = [(); 4].map(|()| {
        let semaphore = semaphore.clone();
        ex.spawn(async move {
            println!("Жду возможности захватить семафор...");
            let permit = semaphore.acquire().await;
            println!("Семафор захвачен!");
            Timer::after(Duration::from_secs(2)).await;
            drop(permit);
            println!("Семафор освобожден!");
        })
    });
    bits::gather(operations).await;
}
