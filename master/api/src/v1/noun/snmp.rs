//! What the kernel counts of the network.

use crate::v1::codec::macros::message;

message! {
    /// What IP counts.
    pub struct IpStatistics {
        1 forwarding "Forwarding": Option<i64>,
        2 default_ttl "DefaultTTL": Option<i64>,
        3 in_receives "InReceives": Option<i64>,
        4 in_hdr_errors "InHdrErrors": Option<i64>,
        5 in_addr_errors "InAddrErrors": Option<i64>,
        6 forw_datagrams "ForwDatagrams": Option<i64>,
        7 in_unknown_protos "InUnknownProtos": Option<i64>,
        8 in_discards "InDiscards": Option<i64>,
        9 in_delivers "InDelivers": Option<i64>,
        10 out_requests "OutRequests": Option<i64>,
        11 out_discards "OutDiscards": Option<i64>,
        12 out_no_routes "OutNoRoutes": Option<i64>,
        13 reasm_timeout "ReasmTimeout": Option<i64>,
        14 reasm_reqds "ReasmReqds": Option<i64>,
        15 reasm_oks "ReasmOKs": Option<i64>,
        16 reasm_fails "ReasmFails": Option<i64>,
        17 frag_oks "FragOKs": Option<i64>,
        18 frag_fails "FragFails": Option<i64>,
        19 frag_creates "FragCreates": Option<i64>,
    }

    /// What ICMP counts.
    pub struct IcmpStatistics {
        1 in_msgs "InMsgs": Option<i64>,
        2 in_errors "InErrors": Option<i64>,
        3 in_csum_errors "InCsumErrors": Option<i64>,
        4 in_dest_unreachs "InDestUnreachs": Option<i64>,
        5 in_time_excds "InTimeExcds": Option<i64>,
        6 in_parm_probs "InParmProbs": Option<i64>,
        7 in_src_quenchs "InSrcQuenchs": Option<i64>,
        8 in_redirects "InRedirects": Option<i64>,
        9 in_echos "InEchos": Option<i64>,
        10 in_echo_reps "InEchoReps": Option<i64>,
        11 in_timestamps "InTimestamps": Option<i64>,
        12 in_timestamp_reps "InTimestampReps": Option<i64>,
        13 in_addr_masks "InAddrMasks": Option<i64>,
        14 in_addr_mask_reps "InAddrMaskReps": Option<i64>,
        15 out_msgs "OutMsgs": Option<i64>,
        16 out_errors "OutErrors": Option<i64>,
        17 out_dest_unreachs "OutDestUnreachs": Option<i64>,
        18 out_time_excds "OutTimeExcds": Option<i64>,
        19 out_parm_probs "OutParmProbs": Option<i64>,
        20 out_src_quenchs "OutSrcQuenchs": Option<i64>,
        21 out_redirects "OutRedirects": Option<i64>,
        22 out_echos "OutEchos": Option<i64>,
        23 out_echo_reps "OutEchoReps": Option<i64>,
        24 out_timestamps "OutTimestamps": Option<i64>,
        25 out_timestamp_reps "OutTimestampReps": Option<i64>,
        26 out_addr_masks "OutAddrMasks": Option<i64>,
        27 out_addr_mask_reps "OutAddrMaskReps": Option<i64>,
    }

    /// What TCP counts.
    pub struct TcpStatistics {
        1 rto_algorithm "RtoAlgorithm": Option<i64>,
        2 rto_min "RtoMin": Option<i64>,
        3 rto_max "RtoMax": Option<i64>,
        4 max_conn "MaxConn": Option<i64>,
        5 active_opens "ActiveOpens": Option<i64>,
        6 passive_opens "PassiveOpens": Option<i64>,
        7 attempt_fails "AttemptFails": Option<i64>,
        8 estab_resets "EstabResets": Option<i64>,
        9 curr_estab "CurrEstab": Option<i64>,
        10 in_segs "InSegs": Option<i64>,
        11 out_segs "OutSegs": Option<i64>,
        12 retrans_segs "RetransSegs": Option<i64>,
        13 in_errs "InErrs": Option<i64>,
        14 out_rsts "OutRsts": Option<i64>,
        15 in_csum_errors "InCsumErrors": Option<i64>,
    }

    /// What UDP counts.
    pub struct UdpStatistics {
        1 in_datagrams "InDatagrams": Option<i64>,
        2 no_ports "NoPorts": Option<i64>,
        3 in_errors "InErrors": Option<i64>,
        4 out_datagrams "OutDatagrams": Option<i64>,
        5 rcvbuf_errors "RcvbufErrors": Option<i64>,
        6 sndbuf_errors "SndbufErrors": Option<i64>,
        7 in_csum_errors "InCsumErrors": Option<i64>,
        8 ignored_multi "IgnoredMulti": Option<i64>,
    }

    /// What the network counts, protocol by protocol.
    pub struct SnmpStatistics {
        1 ip_stats: Option<Box<IpStatistics>>,
        2 icmp_stats: Option<Box<IcmpStatistics>>,
        3 tcp_stats: Option<Box<TcpStatistics>>,
        4 udp_stats: Option<UdpStatistics>,
    }
}
