//! Random scripts: whatever happens in whatever order, the rows stay consistent, the engine never
//! stops, one step starts few attempts, nobody sleeps on what is there ([`model`]), and in the end
//! nothing is left behind.

use super::model;
use super::script;
use super::world::World;

/// Statements of which random scripts are made. `#n` is one of the invocations, `N` an id.
const STATEMENTS: [&str; 74] = [
    "#n run(N) propose!(N,v)",
    "#n run(N)",
    "#n propose(N,v)",
    "#n sleep(N,+50)",
    "#n sleep(N,+50) suspend(N,s1)",
    "#n call(N,N1,T/h)",
    "#n call(N,N1,O/k/x) suspend(N1,s1)",
    "#n call(N,N1,O/k2/x,ik=a)",
    "#n call(N,N1,W/k/run)",
    "#n send(N,T/h,at=+30)",
    "#n send(N,O/k/x)",
    "#n attach(N,#m)",
    "#n attach(N,W/k/run) suspend(N,s1)",
    "#n output(N,#m)",
    "#n signal(#m,go,v)",
    "#n signal(#m,1,void)",
    "#n complete(#m.17,v)",
    "#n complete(#m.18?,v)",
    "#n promise(N,p) suspend(N,s1)",
    "#n promise(N,p)",
    "#n peek(N,p)",
    "#n fulfil(N,p,v)",
    "#n set(a,N)",
    "#n clearall",
    "#n keys(N)",
    "#n suspend(s1,s17)",
    "#n suspend(race(s1,all(s17,s18,'go)))",
    "#n suspend(race(s1,allok(s17,any(s18,'go))))",
    "#n flat(s1,'go)",
    "#n sleep(N,+20) suspend(race(s1,all(N,unk(s18))))",
    "#n sleep(N,+20) suspend(any(s17,allok(N,s18),all('go,N)))",
    "#n call(N,N1,T/h) suspend(allok(N1,any(s17,s18)))",
    "#n suspend(unk(all(s17,'go)))",
    "#n awaiting(s17,s1)",
    "#n error(500,no)",
    "#n error(500,no,pause)",
    "#n error(500,no,fail)",
    "#n out(v) end",
    "#n out(v)",
    "#n end",
    "#n call(N,N1,X/h)",
    "failed #n gone",
    "idle #n",
    "expired #n",
    "admitted #n",
    "resolve #n.17 v",
    "reject #n.18 no",
    "admin #n go v",
    "admin #n p v",
    "replace #n 17 !500:no",
    "cancel #n",
    "kill #n",
    "pause #n",
    "resume #n",
    "resume #n latest",
    "resume #n 1",
    "resume #n 2",
    "purge #n",
    "purge-journal #n",
    "tick 40",
    "recover",
    "rules s=1",
    "rules s=2 s/*=1",
    "rules *=3 s/a/*=1 -s=1",
    "rules s=!",
    "#n call(N,N1,s@T/h,lk=b)",
    "#n call(N,N1,s@O/k/x,lk=a/y)",
    "#n send(N,s@W/k/run,lk=a)",
    "#n suspend(s1)",
    "edit s@O/k a=N",
    "edit s@W/k a=N b=1",
    "take O/k/x #14 0@N",
    "take S/h #15 0@N sub=2",
    "forget 2",
];

const INVOCATIONS: [&str; 13] = [
    "invoke S/h #1 ik=a",
    "send O/k/x #2",
    "send O/k/x #3 ik=b",
    "send O/k/s #4",
    "send W/k/run #5",
    "send W/k/s #6",
    "send S/h #7 p1",
    "send O/k2/x #8 ik=c at=+100",
    "send s@S/h #9 lk=a",
    "send s@S/h #10 lk=a/x",
    "send s@O/k/x #11 lk=b",
    "send s@W/k/s #12",
    "send s@S/h #13 ik=a lk=a/y at=+50",
];

const WORLDS: [&str; 6] = [
    "with v7",
    "with v6 rr max=2 kill",
    "with v7 rr idempotency=60 workflow=60 journal=20",
    "with v5 max=1 journal=0",
    "partitions 2",
    "partitions 3",
];

#[test]
fn random_scripts_keep_the_rows_consistent() {
    for seed in 0..200_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut below = |end: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 33).expect("31 bits") % end
        };
        let mut world = World::new();
        script::statement(&mut world, WORLDS[below(WORLDS.len())]);
        for statement in INVOCATIONS {
            script::statement(&mut world, statement);
        }
        for step in 0..80 {
            let statement = match below(12) {
                0 => INVOCATIONS[below(INVOCATIONS.len())].to_owned(),
                1 => "deliver".to_owned(),
                _ => STATEMENTS[below(STATEMENTS.len())]
                    .replace("#n", &format!("#{}", 1 + below(INVOCATIONS.len())))
                    .replace("#m", &format!("#{}", 1 + below(INVOCATIONS.len())))
                    .replace("N1", &format!("{}", 101 + below(4)))
                    .replace('N', &format!("{}", 1 + below(4))),
            };
            world.output.push(format!("[{seed}.{step} {statement}]"));
            script::statement(&mut world, &statement);
            model::nobody_sleeps_too_long(&world);
        }
        world.forget_everything();
    }
}
