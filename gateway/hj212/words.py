"""What HJ 212's numbers mean, in words: English and Chinese. Tables of the standard, for people to read."""

from __future__ import annotations

EDITIONS = {0: "2005", 1: "2017", 2: "2025"}

COMMANDS = {
    "1000": "set time-out and resend count 设置超时时间及重发次数",
    "1001": "hardware ids of the logger (2025) 数采仪硬件标识",
    "1002": "set the MN (2025) 设置MN",
    "1011": "get or upload the time 提取/上传现场机时间",
    "1012": "set the time 设置现场机时间",
    "1013": "notice: a time correction is wanted 现场机时间校准请求",
    "1014": "get or set the session key (2025) 提取/设置密钥",
    "1061": "get or upload the real-time interval 提取/上传实时数据间隔",
    "1062": "set the real-time interval 设置实时数据间隔",
    "1063": "get or upload the minute-data interval 提取/上传分钟数据间隔",
    "1064": "set the minute-data interval 设置分钟数据间隔",
    "1072": "set a new password 设置现场机访问密码",
    "2011": "real-time data 污染物实时数据",
    "2012": "stop real-time data 停止察看实时数据",
    "2013": "raw data (2025) 原始数据",
    "2021": "equipment run states 设备运行状态",
    "2022": "stop run states 停止察看设备运行状态",
    "2031": "day data 日历史数据",
    "2041": "equipment run hours of the day 设备运行时间日历史数据",
    "2051": "minute data 分钟数据",
    "2052": "single noise event (2025) 噪声单次事件",
    "2061": "hour data 小时数据",
    "2062": "automatic standard check (2025) 自动标样核查",
    "2081": "start-up time of the logger 数采仪开机时间",
    "2111": "five-minute furnace temperature (2025) 炉温五分钟数据",
    "3011": "zero and span calibration of an instrument 零点校准量程校准",
    "3012": "sample now 即时采样",
    "3013": "clean or back-flush an instrument 启动清洗/反吹",
    "3014": "compare samples 比对采样",
    "3015": "retain a sample over the limit 超标留样",
    "3016": "set the sampling period 设置采样时间周期",
    "3017": "get the sampling period 提取采样时间周期",
    "3018": "get the time a sample takes 提取出样时间",
    "3019": "equipment identity 设备唯一标识",
    "3020": "site information: logs, states, parameters 现场机信息",
    "3021": "set a site parameter 设置现场机参数",
    "3022": "retain a sample now (2025) 即时留样",
    "3024": "start a standard check (2025) 启动标样核查",
    "9011": "request answer 请求应答",
    "9012": "execution result 执行结果",
    "9013": "notice answer 通知应答",
    "9014": "data answer 数据应答",
    "9015": "heartbeat (2025) 心跳",
}

SYSTEMS = {
    "21": "surface water 地表水质量监测",
    "22": "ambient air 空气质量监测",
    "23": "noise 声环境质量监测",
    "24": "groundwater 地下水质量监测",
    "25": "soil 土壤质量监测",
    "26": "sea water 海水质量监测",
    "27": "volatile organics 挥发性有机物监测",
    "31": "gas pollution source 大气环境污染源",
    "32": "water pollution source 地表水体环境污染源",
    "33": "groundwater pollution source 地下水体环境污染源",
    "34": "sea pollution source 海洋环境污染源",
    "35": "soil pollution source 土壤环境污染源",
    "36": "noise source 声环境污染源",
    "37": "vibration source 振动环境污染源",
    "38": "radioactive source 放射性环境污染源",
    "39": "dust of building sites 工地扬尘污染源",
    "41": "electromagnetic source 电磁环境污染源",
    "44": "electricity monitoring (2025) 用电监测",
    "45": "key production conditions (2025) 重点工况",
    "51": "flue-gas treatment process 烟气排放过程监控",
    "52": "sewage treatment process 污水排放过程监控",
    "91": "interaction between platform and station 系统交互",
}

ATTRIBUTES = {
    "Rtd": "value at the instant 实时值",
    "Min": "least in the period 最小值",
    "Avg": "mean of the period 平均值",
    "Max": "greatest in the period 最大值",
    "Cou": "amount of the period, or counter 累计值",
    "Flag": "data flag 数据标记",
    "EFlag": "flag of the device's maker 设备标志",
    "SampleTime": "time of sampling 采样时间",
    "ZsRtd": "value at the instant, converted 折算实时值",
    "ZsMin": "least, converted 折算最小值",
    "ZsAvg": "mean, converted 折算平均值",
    "ZsMax": "greatest, converted 折算最大值",
    "RS": "run state 运行状态",
    "RT": "run hours of the day 日运行时间(h)",
    "Info": "site information 现场端信息",
    "SN": "serial number 设备序列号",
}

DATA_FLAGS = {
    "N": "normal 正常",
    "F": "stopped 停运",
    "M": "maintenance 维护",
    "S": "set by hand 手工输入",
    "D": "fault 故障",
    "C": "calibrating 校准",
    "T": "above the range 超量程",
    "B": "communication fault between meter and station 通讯异常",
}

RUN_STATES = {
    "0": "off 关闭",
    "1": "running 运行",
    "2": "calibrating 校准",
    "3": "maintenance 维护",
    "4": "alarm 报警",
    "5": "blow-back 反吹",
}

REQUEST_RESULTS = {
    "1": "ready to carry it out 准备执行请求",
    "2": "refused 请求被拒绝",
    "3": "password wrong PW错误",
    "4": "MN wrong MN错误",
    "5": "ST wrong ST错误",
    "6": "Flag wrong Flag错误",
    "7": "QN wrong QN错误",
    "8": "CN wrong CN错误",
    "9": "check value wrong CRC校验错误",
    "100": "unknown error 未知错误",
}

EXECUTION_RESULTS = {
    "1": "done 执行成功",
    "2": "failed, reason unknown 执行失败，原因不明",
    "3": "condition wrong 命令请求条件错误",
    "4": "communication time-out 通讯超时",
    "5": "busy 系统繁忙",
    "6": "system fault 系统故障",
    "100": "no data 没有数据",
}

FIELDS = {
    "DataTime": "time of the data 数据时间",
    "BeginTime": "from 开始时间",
    "EndTime": "to 截止时间",
    "SystemTime": "time of the system 系统时间",
    "RestartTime": "time of the restart 数采仪开机时间",
    "OverTime": "time-out, seconds 超时时间(s)",
    "ReCount": "resend count 重发次数",
    "RtdInterval": "real-time interval, seconds 实时数据间隔(s)",
    "MinInterval": "minute-data interval, minutes 分钟数据间隔(min)",
    "PolId": "code of the quantity 因子编码",
    "InfoId": "code of the site information 现场端信息编码",
    "NewPW": "new password 新密码",
    "QnRtn": "request answer 请求应答结果",
    "ExeRtn": "execution result 执行结果",
    "SKCreateTime": "creation time of the key (2025) 密钥产生时间",
    "NewSK": "new key (2025) 新密钥",
}

# Fixed codes of Appendix B that carry electricity or the logger's own state; provinces add their own.
CODES = {
    "i33200": "sewage works, current (A) 污水处理设施电流",
    "i33201": "sewage works, energy counter (kWh) 累计用电量",
    "i33202": "sewage works, energy of the day (kWh) 日用电量",
    "i33103": "station voltage (V) 站房电压",
    "i33400": "production load (%) 生产负荷",
    "i21001": "log of the logger 数采仪运行日志",
    "i22001": "state of the logger 数采仪工作状态",
    "i22003": "link to the platform 与平台连接状态",
    "i22101": "channel state 通道状态",
    "i23005": "logger id (2025) 数采仪标识",
    "i23006": "CPU id (2025) CPU标识",
    "i23007": "MAC address 1 (2025) MAC地址1",
    "i23008": "MAC address 2 (2025) MAC地址2",
}

# letter, process digit and factor of a code; its last two digits number the device
CODE_FAMILIES = {
    "e301": "sewage lift pump, current (A) 提升泵电流",
    "e302": "blower, current (A) 风机电流",
    "e306": "surplus sludge pump, current (A) 剩余污泥泵电流",
    "e307": "return sludge pump, current (A) 回流污泥泵电流",
    "e310": "sludge press, current (A) 污泥脱水机电流",
    "e401": "sewage lift pump, current (A) 提升泵电流",
    "e402": "aeration, current (A) 曝气设备电流",
    "e407": "surplus sludge pump, current (A) 剩余污泥泵电流",
    "e408": "return sludge pump, current (A) 回流污泥泵电流",
    "e411": "sludge press, current (A) 污泥脱水机电流",
    "g101": "booster fan, state 增压风机状态",
    "g102": "booster fan, current (A) 增压风机电流",
    "g103": "slurry circulation pump, state 浆液循环泵状态",
    "g104": "slurry circulation pump, current (A) 浆液循环泵电流",
    "g113": "demister, current (A) 除雾器电流",
    "g118": "gypsum pump, current (A) 石膏排出泵电流",
    "g201": "spray pump, current (A) 喷淋泵电流",
    "g202": "desulphuriser feed, current (A) 脱硫剂输送泵电流",
    "g207": "return fan, current (A) 返料风机电流",
    "g208": "induced-draught fan, current (A) 引风机电流",
    "d2": "production equipment, electricity (2025) 生产设施用电",
    "d3": "treatment equipment, electricity (2025) 治理设施用电",
    "SB": "equipment 设备",
}


def code_words(code: str) -> str:
    """What a code of CP is, or that no table here knows it."""
    known = FIELDS.get(code) or CODES.get(code) or CODES.get(code.lower())
    if known:
        return known
    for length in (4, 2):
        family = CODE_FAMILIES.get(code[:length])
        if family:
            return f"{family}, no. {code[-2:] if length == 4 or code[0] == 'd' else code[2:]}"
    return "not in the tables of the standard known here; see the platform's mapping 编码未知，见平台映射表"
