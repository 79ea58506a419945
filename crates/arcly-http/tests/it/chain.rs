//! How deep providers may stand upon each other.
//!
//! The compiler follows a provider's type through every field; forty is close to
//! what it does without `#![recursion_limit]`. With it, sixty:
//! `tests/ui/built/chain_of_sixty_providers.rs`.

use arcly_http::prelude::*;
use arcly_http_testing::TestApp;

/// A provider that injects the next.
macro_rules! link {
    ($name:ident) => {
        #[derive(Injectable)]
        struct $name;

        impl $name {
            fn depth(&self) -> u32 {
                1
            }
        }
    };
    ($name:ident $next:ident) => {
        #[derive(Injectable)]
        struct $name {
            next: Inject<$next>,
        }

        impl $name {
            fn depth(&self) -> u32 {
                1 + self.next.depth()
            }
        }
    };
}

/// Each provider stands before the one that it injects, which is the harder order.
macro_rules! chain {
    ($last:ident) => { link!($last); };
    ($name:ident $next:ident $($rest:ident)*) => {
        link!($name $next);
        chain!($next $($rest)*);
    };
}

macro_rules! application {
    ($first:ident $($rest:ident)*) => {
        chain!($first $($rest)*);

        #[derive(Injectable)]
        struct Depth {
            chain: Inject<$first>,
        }

        #[controller("/depth")]
        impl Depth {
            #[get("/")]
            #[public]
            fn depth(&self) -> Json<u32> {
                Json(self.chain.depth())
            }
        }

        #[module(root, providers($first, $($rest),*), controllers(Depth))]
        struct ChainModule;
    };
}

application! {
    P00 P01 P02 P03 P04 P05 P06 P07 P08 P09 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19
    P20 P21 P22 P23 P24 P25 P26 P27 P28 P29 P30 P31 P32 P33 P34 P35 P36 P37 P38 P39
}

#[tokio::test]
async fn forty_providers_stand_upon_each_other() {
    let app = TestApp::builder::<ChainModule>().launch().await.unwrap();
    assert_eq!(app.get("/depth").send().await.expect(200).text(), "40");
    app.finish().await;
}
