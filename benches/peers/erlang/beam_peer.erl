%% Erlang processes: plain receive loops between them, gen_server:call to ask. What is only a number
%% is sent as one: it needs no room of its own, as a tuple would. Called as the peers in Rust are (see
%% common/src/lib.rs).
-module(beam_peer).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ROUND_TRIPS, 200000).
-define(ONE_WAY, 2000000).
-define(BURST, 1000).
-define(SENDERS, 4).
-define(FAN_IN, 500000).
-define(RING, 1000).
-define(HOPS, 1000000).
-define(FORK_JOIN, 100000).
-define(BIG, 100).
-define(PINGS, 5000).
-define(ASKS, 200000).
-define(MANY_ASKS, 500000).
-define(MANY, 100).
-define(IDLE, 100000).
-define(WARM_UP, 0.1).

main(["local", Pattern, Threads, Scale]) ->
    case play(Pattern, number(Scale)) of
        unknown -> ok;
        Figure -> io:format("erlang ~s ~s ~.2f~n", [Pattern, Threads, float(Figure)])
    end,
    halt();
main(["serve", _Port]) ->
    {ok, _} = gen_server:start({local, sink}, ?MODULE, [], []),
    io:format("listening~n"),
    %% Whoever started this has gone when its input ends.
    io:get_line(""),
    halt();
main(["remote", Port, Case, Count]) ->
    Sink = {sink, list_to_atom("there" ++ Port ++ "@127.0.0.1")},
    true = net_kernel:connect_node(element(2, Sink)),
    remote(Case, list_to_integer(Count), Sink),
    halt().

number(Text) ->
    case string:to_float(Text) of
        {error, no_float} -> list_to_integer(Text);
        {Number, _} -> Number
    end.

of_usual(Usual, Scale) -> max(1, trunc(Usual * Scale)).

%% Once small, to warm up, and once in full.
play("memory", Scale) -> memory(of_usual(?IDLE, Scale));
play(Pattern, Scale) ->
    case pattern(Pattern, Scale * ?WARM_UP) of
        unknown -> unknown;
        _ -> pattern(Pattern, Scale)
    end.

pattern("ping-pong", Scale) -> ping_pong(of_usual(?ROUND_TRIPS, Scale));
pattern("one-way", Scale) -> fan_in(1, of_usual(?ONE_WAY, Scale));
pattern("fan-in", Scale) -> fan_in(?SENDERS, of_usual(?FAN_IN, Scale));
pattern("ring", Scale) -> ring(of_usual(?HOPS, Scale));
pattern("fork-join", Scale) -> fork_join(of_usual(?FORK_JOIN, Scale));
pattern("big", Scale) -> big(of_usual(?PINGS, Scale));
pattern("ask-1", Scale) -> ask(of_usual(?ASKS, Scale), 1);
pattern("ask-100", Scale) -> ask(of_usual(?MANY_ASKS, Scale), ?MANY);
pattern(_, _) -> unknown.

now_ns() -> erlang:monotonic_time(nanosecond).

each(Began, Count) -> (now_ns() - Began) / Count.

%% Waits for `done' as often as that.
done(0) -> ok;
done(Count) -> receive done -> done(Count - 1) end.

ping_pong(Count) ->
    Main = self(),
    One = spawn(fun() -> player(Main) end),
    Two = spawn(fun() -> player(Main) end),
    One ! {meet, Two},
    Two ! {meet, One},
    Began = now_ns(),
    One ! 2 * Count,
    done(1),
    each(Began, Count).

player(Main) -> receive {meet, Partner} -> player(Main, Partner) end.

player(Main, Partner) ->
    receive
        0 -> Main ! done;
        Left when is_integer(Left) -> Partner ! Left - 1, player(Main, Partner)
    end.

fan_in(Senders, Messages) ->
    Main = self(),
    To = spawn(fun() -> receiver(Main, Senders * Messages) end),
    Began = now_ns(),
    [spawn(fun() -> sender(To, Messages) end) || _ <- lists:seq(1, Senders)],
    done(1),
    each(Began, Senders * Messages).

receiver(Main, 0) -> Main ! done;
receiver(Main, Left) -> receive Number when is_integer(Number) -> receiver(Main, Left - 1) end.

%% Lets others have their turn after each burst, as everywhere here: flooded, a mailbox is dear.
sender(_, 0) -> ok;
sender(To, Left) when Left rem ?BURST =:= 0 -> erlang:yield(), send(To, Left);
sender(To, Left) -> send(To, Left).

send(To, Left) -> To ! Left, sender(To, Left - 1).

ring(Hops) ->
    Main = self(),
    All = [spawn(fun() -> member(Main) end) || _ <- lists:seq(1, ?RING)],
    [First | Rest] = All,
    lists:foreach(fun({Member, Next}) -> Member ! {close, Next} end,
                  lists:zip(All, Rest ++ [First])),
    Began = now_ns(),
    First ! Hops,
    done(1),
    Figure = each(Began, Hops),
    [exit(Member, kill) || Member <- All],
    Figure.

member(Main) -> receive {close, Next} -> member(Main, Next) end.

member(Main, Next) ->
    receive
        0 -> Main ! done;
        Left when is_integer(Left) -> Next ! Left - 1, member(Main, Next)
    end.

fork_join(Count) ->
    Main = self(),
    Atomic = atomics:new(1, []),
    atomics:put(Atomic, 1, Count),
    Began = now_ns(),
    spawn(fun() -> parent(Main, Atomic, Count) end),
    done(1),
    each(Began, Count).

parent(_, _, 0) -> ok;
parent(Main, Atomic, Left) ->
    Child = spawn(fun() -> child(Main, Atomic) end),
    Child ! leave,
    parent(Main, Atomic, Left - 1).

child(Main, Atomic) ->
    receive leave -> ok end,
    case atomics:sub_get(Atomic, 1, 1) of
        0 -> Main ! done;
        _ -> ok
    end.

big(Pings) ->
    Main = self(),
    All = [spawn(fun() -> guest(Main, Pings, Number) end) || Number <- lists:seq(1, ?BIG)],
    Guests = list_to_tuple(All),
    [Guest ! {meet, Guests} || Guest <- All],
    Began = now_ns(),
    [Guest ! 'begin' || Guest <- All],
    done(?BIG),
    Figure = each(Began, Pings * ?BIG),
    [exit(Guest, kill) || Guest <- All],
    Figure.

guest(Main, Pings, Number) ->
    rand:seed(exsss, Number),
    receive {meet, Guests} -> guest(Main, Guests, Pings, self()) end.

guest(Main, Guests, Left, Self) ->
    receive
        'begin' ->
            element(rand:uniform(?BIG), Guests) ! {ping, Self},
            guest(Main, Guests, Left, Self);
        {ping, From} ->
            From ! pong,
            guest(Main, Guests, Left, Self);
        pong when Left > 1 ->
            element(rand:uniform(?BIG), Guests) ! {ping, Self},
            guest(Main, Guests, Left - 1, Self);
        pong ->
            Main ! done,
            guest(Main, Guests, 0, Self)
    end.

%% With many in flight: as many processes ask, as is usual here.
ask(Count, InFlight) ->
    Main = self(),
    {ok, Of} = gen_server:start(?MODULE, [], []),
    Began = now_ns(),
    [spawn(fun() -> asker(Of, Count div InFlight), Main ! done end)
     || _ <- lists:seq(1, InFlight)],
    done(InFlight),
    Figure = each(Began, Count),
    gen_server:stop(Of),
    Figure.

asker(_, 0) -> ok;
asker(Of, Left) -> _ = gen_server:call(Of, {question, Left}, infinity), asker(Of, Left - 1).

memory(Count) ->
    Main = self(),
    Before = resident_bytes(),
    All = [spawn(fun() -> idler(Main) end) || _ <- lists:seq(1, Count)],
    [Idler ! 'begin' || Idler <- All],
    done(Count),
    After = resident_bytes(),
    true = length(All) =:= Count,
    (After - Before) / Count.

idler(Main) ->
    receive 'begin' -> Main ! done end,
    receive never -> ok end.

resident_bytes() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kib]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(Kib) * 1024.

%% Answers, counts, and gives back.
init([]) -> {ok, 0}.

handle_call({question, Number}, _, Count) -> {reply, Number, Count};
handle_call({echo, Bytes}, _, Count) -> {reply, Bytes, Count};
handle_call(count, _, Count) -> {reply, Count, Count}.

handle_cast(_, Count) -> {noreply, Count}.

handle_info({load, _}, Count) -> {noreply, Count + 1}.

remote("one-way-" ++ Size, Count, Sink) ->
    Payload = binary:copy(<<7>>, list_to_integer(Size)),
    Before = gen_server:call(Sink, count, infinity),
    Began = now_ns(),
    load(Sink, {load, Payload}, Count),
    After = gen_server:call(Sink, count, infinity),
    Elapsed = now_ns() - Began,
    Count = After - Before,
    io:format("erlang-dist one-way-~s 1 ~.2f~n", [Size, Elapsed / Count]);
remote("round-trip", Count, Sink) -> echo("round-trip", Count, 1, Sink);
remote("ask-100", Count, Sink) -> echo("ask-100", Count, ?MANY, Sink).

load(_, _, 0) -> ok;
load(Sink, Message, Left) -> Sink ! Message, load(Sink, Message, Left - 1).

echo(Case, Count, InFlight, Sink) ->
    Main = self(),
    Payload = binary:copy(<<7>>, 100),
    Payload = gen_server:call(Sink, {echo, Payload}, infinity),
    Began = now_ns(),
    Each = Count div InFlight,
    [spawn(fun() -> Main ! {times, echoes(Sink, {echo, Payload}, Each, [])} end)
     || _ <- lists:seq(1, InFlight)],
    Times = lists:append([receive {times, Some} -> Some end || _ <- lists:seq(1, InFlight)]),
    Elapsed = now_ns() - Began,
    Sorted = list_to_tuple(lists:sort(Times)),
    At = fun(Share) -> element(max(1, ceil(Share * tuple_size(Sorted))), Sorted) end,
    io:format("erlang-dist ~s 1 ~.2f ~b ~b ~b~n",
              [Case, Elapsed / (Each * InFlight), At(0.5), At(0.99), At(0.999)]).

echoes(_, _, 0, Times) -> Times;
echoes(Sink, Question, Left, Times) ->
    Sent = now_ns(),
    _ = gen_server:call(Sink, Question, infinity),
    echoes(Sink, Question, Left - 1, [now_ns() - Sent | Times]).
