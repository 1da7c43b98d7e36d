/*
 * Copyright 2026 The Gatehouse Authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * The protocol of ../revocation.md: one key, and one change X, made on node 0: the key is revoked.
 *
 * Each d_step is one step of one thread: a statement of SQL, or what the thread does between two of them.
 * Between two steps anything else may happen, for any time. A pause, a lost hint and a cut network are
 * steps that are not taken.
 *
 * No rule reads a date, so a timer is kept as an age, and an age stops where no rule can tell it from a
 * greater one. The counter c is kept as what it is for: whether C >= the stripes still holds. So neither
 * time nor the number of steps has a bound, and the search is finite all the same.
 *
 * -DNEAR watches node 0, -DFAR watches node 1 and takes node 0 for a changer without a cache; neither
 * watches both. -DNO_name breaks a rule: the assertion must fail. -DSPARE_name leaves out what other rules
 * make up for: it must hold.
 */
#define N       2     /* nodes */
#define L       2     /* R2: the lease */
#define GAP     1     /* R8 says 5 s. GAP + 1 >= L, so that one age serves both. */
#define RETIRE  2     /* R7 says 10 s; more than GAP is what is needed */
#define REMOVE  L     /* R6 says 10 L; L is what is needed */
#define STALE   (GAP + 1)
#define NEVER   (GAP + 2)

/* What is read of the key: nothing, the record as it was before X, the record as X left it. */
mtype = { NOTHING, OLD, NEW };
/* The step that a thread takes next. */
mtype = { IDLE, BEAT, REGISTER, READ, APPLY, MARKED, EXTEND, SELECT, STORE, LEASE, ENTRY };
mtype = { COMMIT, CLOCK, OWN, LIST, WAIT, PROMISED, LOST };
mtype = { OFF, ON, DRAINED };

/* The database. */
bool revoked;              /* X is committed */
bool fresh;                /* notices: the notice of X is there, and full polls still read it */
bool row[N];               /* nodes */
bool acked[N];             /* acks */

/* The change. */
mtype change = COMMIT;
byte waited;               /* the age of t */
bool awaited[N];           /* was in the list, and has neither acked nor vanished */

/* What other nodes know. They see all at once: who sees later may do less. */
byte silent[N];            /* how long they have seen the beat of a node unchanged */
byte known;                /* how long they have seen the notice */
bool blind[N];             /* they take a new row for the former one: only where a rule is broken */

typedef Node {
	mtype life = OFF;
	mtype entry = NOTHING; /* the cache; what has C < the stripes counts as nothing */
	bool applied;          /* the notice */
	byte lease;            /* what is left of it */
	byte since = STALE;    /* the age of the s of the last successful full poll */
	mtype poll = IDLE;
	byte age;              /* of the s of this poll */
	bool saw;              /* this poll read the notice */
	mtype look = IDLE;
	mtype fill = IDLE;
	bool good;             /* C of the fill >= the stripes */
	mtype found = NOTHING; /* by the fill */
	mtype watch = IDLE;
	mtype held = NOTHING   /* by the watched lookup: only where a rule is broken */
}
Node node[N];
#define me node[m]

/* How single conditions are broken. */
#ifdef FAR
#define HOME       true
#else
#define HOME       (node[0].life == ON)
#endif
#ifdef NO_R1
#define KEEP       true
#else
#define KEEP       me.good
#endif
#ifdef NO_R2
#define LEASED     true
#else
#define LEASED     (me.lease > 0)
#endif
#ifdef NO_R4_WAIT
#define WAITED     true
#else
#define WAITED     (!awaited[1] || waited == L)
#endif
#ifdef NO_R5
#define ACKABLE    (me.applied || me.look == APPLY)
#else
#define ACKABLE    me.applied
#endif
#ifdef NO_R6_WAIT
#define SILENT     true
#else
#define SILENT     (silent[m] == REMOVE)
#endif
#ifdef NO_R7
#define RETIRABLE  true
#else
#define RETIRABLE  (known == RETIRE)
#endif

/* stripe := ++c */
inline outdate(m) { me.entry = NOTHING; me.good = false }

inline apply(m) {
	if
	:: !me.applied -> outdate(m); me.applied = true
	:: else
	fi
}

/* Apply what the full poll read, after R8. */
inline takeIn(m) {
#ifndef NO_R8
	if
	:: me.since == STALE -> outdate(m)
	:: else
	fi;
#endif
	if
	:: me.saw -> apply(m)
	:: else
	fi
}

inline extend(m) {
#ifdef NO_R3_START
	me.lease = L
#else
	me.lease = (me.age < L -> L - me.age : 0)
#endif
}

inline endPoll(m) { me.poll = IDLE; me.age = 0; me.saw = false }
inline endFill(m) { me.fill = IDLE; me.good = false; me.found = NOTHING }
inline endWatch(m) { me.watch = IDLE; me.held = NOTHING }

/* The promise: what begins after the acknowledgement grants nothing by the old record. */
inline answer(record) { assert(record != OLD) }

/* The beat is another one now. */
inline beat(m) {
#ifndef NO_R6_BEAT
	if
	:: !blind[m] -> silent[m] = 0
	:: else
	fi
#else
	skip
#endif
}

/* The row has an id that never was, so nobody takes it for the former one. */
inline register(m) {
	row[m] = true;
	if
	:: !blind[m] -> silent[m] = 0
	:: else
	fi
}

inline unregister(m) {
	row[m] = false;
	awaited[m] = false;
#ifdef NO_R9_ID
	blind[m] = true
#endif
}

/* What a process holds is lost. Its row, its acks and a change that it has committed are not. */
inline crash(m) {
	me.life = OFF;
	me.entry = NOTHING;
	me.applied = false;
	me.lease = 0;
	me.look = IDLE;
	endPoll(m);
	endFill(m);
	endWatch(m);
	if
	:: m == 0 && change != COMMIT && change != PROMISED -> change = LOST; waited = 0; awaited[1] = false
	:: else
	fi
}

/* A process starts, crashes, drains. One that starts again is a new node. */
proctype Life(byte m) {
	do
	:: d_step { me.life == OFF ->
#if !defined(NO_R9_COMMIT) && !defined(SPARE_R9_FILL)
		register(m);
#endif
#ifdef NO_R8_FIRST
		me.since = NEVER;
#else
		me.since = STALE;
#endif
		me.life = ON }
	:: d_step { me.life != OFF -> crash(m) }
#ifdef NO_R6_DRAIN
	:: d_step { me.life == ON && row[m] -> unregister(m) }
#else
	:: d_step { me.life == ON -> me.life = DRAINED; me.lease = 0; endPoll(m) }
	:: d_step { me.life == DRAINED && row[m] -> unregister(m) }
#endif
	od
}

/* R3: the full poll. It may fail before each of its steps. */
proctype Poll(byte m) {
	do
	:: d_step { me.poll != IDLE -> endPoll(m) }
	:: d_step { me.life == ON && me.poll == IDLE -> me.poll = BEAT }
	:: d_step { me.poll == BEAT && row[m] -> beat(m); me.poll = READ }
	:: d_step { me.poll == BEAT && !row[m] -> me.poll = REGISTER }
	:: d_step { me.poll == REGISTER ->
#if !defined(NO_R3_ROW) && !defined(NO_R9_COMMIT)
		register(m);
#endif
#ifndef SPARE_R3_DROP
		outdate(m);
#endif
		me.poll = READ }
	:: d_step { me.poll == READ -> me.saw = fresh; me.poll = APPLY }
#ifdef NO_R3_ORDER
	:: d_step { me.poll == APPLY -> extend(m); me.poll = EXTEND }
#else
	:: d_step { me.poll == APPLY -> takeIn(m); me.poll = EXTEND }
#endif
	:: d_step { me.poll == EXTEND ->
#ifdef NO_R9_COMMIT
		register(m);
#endif
#ifdef NO_R3_ORDER
		takeIn(m);
#else
		extend(m);
#endif
		me.since = me.age;
		endPoll(m) }
	od
}

/* The quick look, after a hint or for nothing; then R5. */
proctype Look(byte m) {
	do
	:: d_step { me.life == ON && me.look == IDLE && fresh && !me.applied -> me.look = APPLY }
#ifdef NO_R11
	:: d_step { me.look == APPLY -> me.applied = true; me.look = MARKED }
	:: d_step { me.look == MARKED -> outdate(m); me.look = IDLE }
#else
	:: d_step { me.look == APPLY -> apply(m); me.look = IDLE }
#endif
	:: d_step { ACKABLE && !acked[m] -> acked[m] = true; awaited[m] = false }
	od
}

/* R1: a fill. */
proctype Fill(byte m) {
	do
	:: d_step { me.fill != IDLE -> endFill(m) }
	:: d_step { me.life == ON && me.fill == IDLE -> me.good = true; me.fill = SELECT }
	:: d_step { me.fill == SELECT -> me.found = (revoked -> NEW : OLD); me.fill = STORE }
	:: d_step { me.fill == STORE && KEEP -> me.entry = me.found; endFill(m) }
	od
}

/* R2: a lookup that begins after the promise. One that reads the primary finds what X left: it ends here. */
proctype Watch(byte m) {
	do
	:: d_step { me.life == ON && me.watch == IDLE && change == PROMISED -> me.watch = LEASE }
#ifdef NO_R2_ORDER
	:: d_step { me.watch == LEASE -> me.held = me.entry; me.watch = ENTRY }
	:: d_step { me.watch == ENTRY && !LEASED -> endWatch(m) }
	:: d_step { me.watch == ENTRY && LEASED -> answer(me.held); endWatch(m) }
#else
	:: d_step { me.watch == LEASE && !LEASED -> endWatch(m) }
	:: d_step { me.watch == LEASE && LEASED -> me.watch = ENTRY }
	:: d_step { me.watch == ENTRY -> answer(me.entry); endWatch(m) }
#endif
#ifdef NO_R10
	:: d_step { me.watch == LEASE && !LEASED && me.fill == STORE -> answer(me.found); endWatch(m) }
#endif
	od
}

/* R4: the change. */
proctype Change() {
#ifdef NO_R4_LIST
	d_step { HOME -> awaited[1] = row[1] }
#endif
	do
	:: d_step { change == COMMIT && HOME -> revoked = true; fresh = true; change = CLOCK }
	:: d_step { change == CLOCK ->
#ifndef NO_R4_CLOCK
		waited = 0;
#endif
		change = OWN }
	:: d_step { change == OWN ->
#ifndef NO_R4_OWN
		apply(0);
#endif
		change = LIST }
	:: d_step { change == LIST ->
#ifndef NO_R4_LIST
		awaited[1] = row[1] && !acked[1];
#endif
		change = WAIT }
	:: d_step { change == WAIT && WAITED -> change = PROMISED; waited = 0; awaited[1] = false }
	od
}

/* R6 and R7, by any other node. Their rows and caches do not matter here. */
proctype Others(byte m) {
	do
	:: d_step { row[m] && SILENT -> unregister(m) }
	:: d_step { fresh && RETIRABLE -> fresh = false; known = 0 }
	od
}

inline grow(timer, most) {
	if
	:: timer < most -> timer++
	:: else
	fi
}

inline remember() {
	if
	:: fresh -> grow(known, RETIRE)
	:: else
	fi
}

inline pass(m) {
	if
	:: me.lease > 0 -> me.lease--
	:: else
	fi;
	if
	:: me.poll != IDLE -> grow(me.age, STALE)
	:: else
	fi;
	grow(me.since, STALE);
	if
	:: row[m] || blind[m] -> grow(silent[m], REMOVE)
	:: else -> silent[m] = 0
	fi
}

proctype Time() {
	do
	:: d_step { true ->
		pass(0);
		pass(1);
		remember();
#ifndef NO_R4_CLOCK
		if
		:: change == OWN || change == LIST || change == WAIT -> grow(waited, L)
		:: else
		fi
#else
		grow(waited, L)
#endif
		}
#ifdef NO_CLOCK
	/* The clock of node 1 stands still. */
	:: d_step { true -> pass(0); grow(silent[1], REMOVE); remember(); grow(waited, L) }
#endif
	od
}

init {
	atomic {
#ifndef FAR
		run Life(0); run Poll(0); run Look(0); run Fill(0); run Watch(0); run Others(0);
#endif
#ifndef NEAR
		run Life(1); run Poll(1); run Look(1); run Fill(1); run Watch(1); run Others(1);
#endif
		run Change(); run Time()
	}
}
