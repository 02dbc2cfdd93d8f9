# ruff: noqa: A002, N802, N803, N815 - the names are the library's
"""The part of pjsua2 that is used here.

`MYPYPATH=ci/typings python -m mypy.stubtest pjsua2 --ignore-missing-stub` compares it with the wheel.
"""

from collections.abc import Iterator

PJSUA_INVALID_ID: int
PJSIP_TRANSPORT_UDP: int
PJSUA_DESTROY_NO_RX_MSG: int
PJSUA_SIP_TIMER_INACTIVE: int
PJSUA_100REL_NOT_USED: int
PJSIP_REDIRECT_REJECT: int
PJSIP_INV_STATE_CONFIRMED: int
PJSIP_INV_STATE_DISCONNECTED: int

class Error(Exception):
    status: int
    reason: str

class Version:
    full: str

class LogEntry:
    msg: str

class LogWriter:
    def __init__(self) -> None: ...
    def __disown__(self) -> object: ...
    def write(self, entry: LogEntry) -> None: ...

class LogConfig:
    msgLogging: int
    level: int
    consoleLevel: int
    writer: LogWriter

class UaConfig:
    maxCalls: int
    threadCnt: int
    mainThreadOnly: bool
    natTypeInSdp: int
    mwiUnsolicitedEnabled: bool

class MediaConfig:
    threadCnt: int

class EpConfig:
    uaConfig: UaConfig
    logConfig: LogConfig
    medConfig: MediaConfig
    def __init__(self) -> None: ...

class TransportConfig:
    port: int
    boundAddress: str
    publicAddress: str
    def __init__(self) -> None: ...

class TransportInfo:
    localName: str

class SipRxData:
    wholeMsg: str

class OnRejectedIncomingCallParam:
    statusCode: int
    reason: str
    rdata: SipRxData

class AudDevManager:
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    def setNoDev(self) -> object: ...

class Endpoint:
    def __init__(self) -> None: ...
    def libVersion(self) -> Version: ...
    def libCreate(self) -> None: ...
    def libInit(self, prmEpConfig: EpConfig) -> None: ...
    def libStart(self) -> None: ...
    def libHandleEvents(self, msec_timeout: int) -> int: ...
    def libDestroy(self, prmFlags: int = 0) -> None: ...
    def transportCreate(self, type: int, cfg: TransportConfig) -> int: ...
    def transportGetInfo(self, id: int) -> TransportInfo: ...
    def audDevManager(self) -> AudDevManager: ...
    def onRejectedIncomingCall(self, prm: OnRejectedIncomingCallParam) -> None: ...

class StringVector:
    def __init__(self, *args: object) -> None: ...
    def append(self, x: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...

class AuthCredInfo:
    def __init__(self, scheme: str, realm: str, user_name: str, data_type: int, data: str) -> None: ...

class AuthCredInfoVector:
    def __init__(self, *args: object) -> None: ...
    def append(self, x: AuthCredInfo) -> None: ...

class AccountSipConfig:
    authCreds: AuthCredInfoVector
    proxies: StringVector
    contactForced: str
    transportId: int

class AccountRegConfig:
    registrarUri: str
    contactParams: str
    timeoutSec: int
    retryIntervalSec: int
    firstRetryIntervalSec: int

class AccountNatConfig:
    contactRewriteUse: int
    viaRewriteUse: int
    sdpNatRewriteUse: int
    sipOutboundUse: int
    udpKaIntervalSec: int

class AccountCallConfig:
    timerUse: int
    prackUse: int

class AccountMediaConfig:
    useLoopMedTp: bool
    lockCodecEnabled: bool
    streamKaEnabled: bool
    transportConfig: TransportConfig

class AccountConfig:
    idUri: str
    sipConfig: AccountSipConfig
    regConfig: AccountRegConfig
    natConfig: AccountNatConfig
    callConfig: AccountCallConfig
    mediaConfig: AccountMediaConfig
    def __init__(self) -> None: ...

class OnIncomingCallParam:
    callId: int
    rdata: SipRxData

class OnRegStateParam:
    code: int
    reason: str
    expiration: int

class Account:
    def __init__(self) -> None: ...
    def create(self, cfg: AccountConfig, make_default: bool = False) -> None: ...
    def shutdown(self) -> None: ...
    def modify(self, cfg: AccountConfig) -> None: ...
    def setRegistration(self, renew: bool) -> None: ...
    def onIncomingCall(self, prm: OnIncomingCallParam) -> None: ...
    def onRegState(self, prm: OnRegStateParam) -> None: ...

class SipHeader:
    hName: str
    hValue: str
    def __init__(self) -> None: ...

class SipHeaderVector:
    def __init__(self, *args: object) -> None: ...
    def append(self, x: SipHeader) -> None: ...

class SipTxOption:
    headers: SipHeaderVector
    contentType: str
    msgBody: str

class CallSetting:
    def __init__(self, useDefaultValues: bool = False) -> None: ...
    audioCount: int
    videoCount: int

class CallOpParam:
    opt: CallSetting
    statusCode: int
    reason: str
    txOption: SipTxOption
    def __init__(self, useDefaultCallSetting: bool = False) -> None: ...

class CallInfo:
    id: int
    callIdString: str
    state: int

class OnCallStateParam: ...
class OnCallRedirectedParam: ...

class OnCallTransferRequestParam:
    statusCode: int

class OnCallReplaceRequestParam:
    statusCode: int

class Call:
    def __init__(self, acc: Account, call_id: int = ...) -> None: ...
    def getInfo(self) -> CallInfo: ...
    def makeCall(self, dst_uri: str, prm: CallOpParam) -> None: ...
    def answer(self, prm: CallOpParam) -> None: ...
    def hangup(self, prm: CallOpParam) -> None: ...
    def onCallState(self, prm: OnCallStateParam) -> None: ...
    def onCallRedirected(self, prm: OnCallRedirectedParam) -> int: ...
    def onCallTransferRequest(self, prm: OnCallTransferRequestParam) -> None: ...
    def onCallReplaceRequest(self, prm: OnCallReplaceRequestParam) -> None: ...
