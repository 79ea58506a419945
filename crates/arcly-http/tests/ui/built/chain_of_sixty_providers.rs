// Beyond forty links the compiler wants to be told: see the documentation of `Inject`.
#![recursion_limit = "256"]

use arcly_http::prelude::*;

macro_rules! link {
    ($name:ident) => {
        #[derive(Injectable)]
        struct $name;
    };
    ($name:ident $next:ident) => {
        #[derive(Injectable)]
        struct $name {
            #[expect(dead_code, reason = "only its type matters")]
            next: Inject<$next>,
        }
    };
}

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
        struct Users {
            #[expect(dead_code, reason = "only its type matters")]
            chain: Inject<$first>,
        }

        #[controller("/users")]
        impl Users {
            #[get("/{id}")]
            #[public]
            async fn show(&self, id: Path<u32>) -> Json<u32> {
                Json(*id)
            }
        }

        #[module(root, providers($first, $($rest),*), controllers(Users))]
        struct AppModule;
    };
}

application! {
    P00 P01 P02 P03 P04 P05 P06 P07 P08 P09 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19
    P20 P21 P22 P23 P24 P25 P26 P27 P28 P29 P30 P31 P32 P33 P34 P35 P36 P37 P38 P39
    P40 P41 P42 P43 P44 P45 P46 P47 P48 P49 P50 P51 P52 P53 P54 P55 P56 P57 P58 P59
}

fn main() {
    let _app = App::new::<AppModule>();
}
