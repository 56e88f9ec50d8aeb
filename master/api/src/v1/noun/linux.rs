//! What only Linux has: capabilities, limits, namespaces, terminals, devices.

use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A set of capabilities.
    pub struct CapabilityInfo {
        1 capabilities: Vec<Capability>,
    }

    /// Which system calls a container may make.
    pub struct SeccompInfo {
        1 profile_name: Option<String>,
        2 unconfined: Option<bool>,
    }

    /// What a container asks of Linux.
    pub struct LinuxInfo {
        /// Deprecated: the same as `effective_capabilities`.
        1 capability_info: Option<CapabilityInfo>,
        2 bounding_capabilities: Option<CapabilityInfo>,
        3 effective_capabilities: Option<CapabilityInfo>,
        /// It sees the processes of what it is in.
        4 share_pid_namespace: Option<bool>,
        5 seccomp: Option<SeccompInfo>,
        6 ipc_mode: Option<IpcMode>,
        /// In MiB, if its shared memory is its own.
        7 shm_size: Option<u32>,
        /// A container in another is limited together with it.
        8 share_cgroups: bool = true,
    }

    /// Limits of a process.
    pub struct RLimitInfo {
        1 rlimits: Vec<RLimit>,
    }

    /// A limit of a process.
    pub struct RLimit {
        1 kind "type": Option<RLimitType>,
        /// Without limit if neither is there.
        2 hard: Option<u64>,
        3 soft: Option<u64>,
    }

    /// A terminal.
    pub struct TtyInfo {
        1 window_size: Option<WindowSize>,
    }

    /// How large a terminal is.
    pub struct WindowSize {
        1 rows: u32,
        2 columns: u32,
    }

    /// A device.
    pub struct Device {
        1 path: Option<String>,
        2 number: Option<DeviceNumber>,
    }

    /// The number of a device.
    pub struct DeviceNumber {
        1 major_number: u64,
        2 minor_number: u64,
    }

    /// What may be done with a device.
    pub struct DeviceAccess {
        1 device: Device,
        2 access: DeviceAccessMode,
    }

    /// The ways to use a device.
    pub struct DeviceAccessMode {
        1 read: Option<bool>,
        2 write: Option<bool>,
        3 mknod: Option<bool>,
    }

    /// The devices that may be used.
    pub struct DeviceWhitelist {
        1 allowed_devices: Vec<DeviceAccess>,
    }
}

enumeration! {
    /// The capabilities of Linux.
    pub enum Capability {
        Unknown = 0 "UNKNOWN",
        Chown = 1000 "CHOWN",
        DacOverride = 1001 "DAC_OVERRIDE",
        DacReadSearch = 1002 "DAC_READ_SEARCH",
        Fowner = 1003 "FOWNER",
        Fsetid = 1004 "FSETID",
        Kill = 1005 "KILL",
        Setgid = 1006 "SETGID",
        Setuid = 1007 "SETUID",
        Setpcap = 1008 "SETPCAP",
        LinuxImmutable = 1009 "LINUX_IMMUTABLE",
        NetBindService = 1010 "NET_BIND_SERVICE",
        NetBroadcast = 1011 "NET_BROADCAST",
        NetAdmin = 1012 "NET_ADMIN",
        NetRaw = 1013 "NET_RAW",
        IpcLock = 1014 "IPC_LOCK",
        IpcOwner = 1015 "IPC_OWNER",
        SysModule = 1016 "SYS_MODULE",
        SysRawio = 1017 "SYS_RAWIO",
        SysChroot = 1018 "SYS_CHROOT",
        SysPtrace = 1019 "SYS_PTRACE",
        SysPacct = 1020 "SYS_PACCT",
        SysAdmin = 1021 "SYS_ADMIN",
        SysBoot = 1022 "SYS_BOOT",
        SysNice = 1023 "SYS_NICE",
        SysResource = 1024 "SYS_RESOURCE",
        SysTime = 1025 "SYS_TIME",
        SysTtyConfig = 1026 "SYS_TTY_CONFIG",
        Mknod = 1027 "MKNOD",
        Lease = 1028 "LEASE",
        AuditWrite = 1029 "AUDIT_WRITE",
        AuditControl = 1030 "AUDIT_CONTROL",
        Setfcap = 1031 "SETFCAP",
        MacOverride = 1032 "MAC_OVERRIDE",
        MacAdmin = 1033 "MAC_ADMIN",
        Syslog = 1034 "SYSLOG",
        WakeAlarm = 1035 "WAKE_ALARM",
        BlockSuspend = 1036 "BLOCK_SUSPEND",
        AuditRead = 1037 "AUDIT_READ",
        Perfmon = 1038 "PERFMON",
        Bpf = 1039 "BPF",
        CheckpointRestore = 1040 "CHECKPOINT_RESTORE",
    }

    /// Whose shared memory a container sees.
    pub enum IpcMode {
        Unknown = 0 "UNKNOWN",
        Private = 1 "PRIVATE",
        ShareParent = 2 "SHARE_PARENT",
    }

    /// What a process can be limited in.
    pub enum RLimitType {
        Unknown = 0 "UNKNOWN",
        As = 1 "RLMT_AS",
        Core = 2 "RLMT_CORE",
        Cpu = 3 "RLMT_CPU",
        Data = 4 "RLMT_DATA",
        Fsize = 5 "RLMT_FSIZE",
        Locks = 6 "RLMT_LOCKS",
        Memlock = 7 "RLMT_MEMLOCK",
        Msgqueue = 8 "RLMT_MSGQUEUE",
        Nice = 9 "RLMT_NICE",
        Nofile = 10 "RLMT_NOFILE",
        Nproc = 11 "RLMT_NPROC",
        Rss = 12 "RLMT_RSS",
        Rtprio = 13 "RLMT_RTPRIO",
        Rttime = 14 "RLMT_RTTIME",
        Sigpending = 15 "RLMT_SIGPENDING",
        Stack = 16 "RLMT_STACK",
    }
}
