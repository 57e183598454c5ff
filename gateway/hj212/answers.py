"""The answers of HJ 212 (9011..9014): ST=91, the request's own QN, and never an answer wanted."""

from __future__ import annotations

from gateway.hj212.packet import FLAG_ACK, FLAG_SPLIT, Item, Packet, Segment, frame, segment_bytes

ST_INTERACTION = "91"
REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER = "9011", "9012", "9013", "9014"

# QnRtn (HJ 212-2017 table 7)
QN_READY, QN_REFUSED, QN_PW_WRONG, QN_MN_WRONG, QN_CN_WRONG = 1, 2, 3, 4, 8
# ExeRtn (table 8)
EXE_DONE, EXE_CONDITION, EXE_BUSY, EXE_FAULT, EXE_NO_DATA = 1, 3, 5, 6, 100


def data_answer(request: Segment) -> Packet:
    """9014: the data packet `request` has arrived."""
    return _answer(request, DATA_ANSWER, ())


def notice_answer(request: Segment) -> Packet:
    """9013: the notice `request` has arrived."""
    return _answer(request, NOTICE_ANSWER, ())


def request_answer(request: Segment, qn_rtn: int) -> Packet:
    """9011: whether the command will be carried out (QnRtn: 1 yes, others say why not)."""
    return _answer(request, REQUEST_ANSWER, ((("QnRtn", str(qn_rtn)),),))


def result(request: Segment, exe_rtn: int) -> Packet:
    """9012: how the command went (ExeRtn: 1 done, others say why not)."""
    return _answer(request, RESULT, ((("ExeRtn", str(exe_rtn)),),))


def _answer(request: Segment, cn: str, cp: tuple[Item, ...]) -> Packet:
    # Header fields are given back as they came, out of rule or not: the other side compares them with its own.
    flag = None if request.flag is None else request.flag & ~(FLAG_ACK | FLAG_SPLIT)
    segment = Segment(request.qn, ST_INTERACTION, cn, request.pw, request.mn, flag, cp)
    return Packet(request.qn, request.mn, frame(segment_bytes(segment)))
