-- HDP for Wireshark and tshark: the made-up transport protocol that pytest-hdp sends under every IP protocol number.
--
-- In Wireshark: put this file into the personal Lua plugins folder (`hdp wireshark` says which), or
-- tshark -X lua_script:hdp.lua -r capture.pcapng
--
-- The header has 12 bytes: source port, destination port (16 bits), timestamp (64 bits, ns since the Unix epoch). What
-- pytest-hdp sends has a tag after it: run id (8 bytes), index (32 bits), MAC (16 bytes). Nothing on the wire says that
-- a packet is HDP. So numbers that no other dissector claims are shown as HDP; of the others only the packets that a
-- capture of ours says are HDP, in their comment, or all of them if the preference "every number" is on. Analyze >
-- Decode As (tshark -d ip.proto==47,hdp) decides for a single number.

local hdp = Proto("hdp", "HDP")

local fields = {
    srcport = ProtoField.uint16("hdp.srcport", "Source port"),
    dstport = ProtoField.uint16("hdp.dstport", "Destination port"),
    timestamp = ProtoField.absolute_time("hdp.timestamp", "Sent at", base.UTC),
    timestamp_ns = ProtoField.uint64("hdp.timestamp.ns", "Nanoseconds since 1970"),
    age = ProtoField.relative_time("hdp.age", "Age when captured"),
    tag = ProtoField.bytes("hdp.tag", "Tag"),
    run = ProtoField.bytes("hdp.tag.run", "Run id"),
    index = ProtoField.uint32("hdp.tag.index", "Index"),
    mac = ProtoField.bytes("hdp.tag.mac", "MAC, keyed, not checked"),
    content = ProtoField.bytes("hdp.content", "Content"),
    text = ProtoField.string("hdp.text", "Content as text"),
}
hdp.fields = fields

local short = ProtoExpert.new("hdp.short", "Shorter than the HDP header", expert.group.MALFORMED, expert.severity.ERROR)
hdp.experts = { short }

hdp.prefs.every = Pref.bool("HDP under every number", false, "Show as HDP also what other dissectors claim")
hdp.prefs.tagged = Pref.bool("Look for a tag", true, "Packets that pytest-hdp sent have a tag after the header")

local HEADER, TAG = 12, 28
local MARK, BARE = "pytest-hdp: ", ", bare"
local comment_of, captured_at = Field.new("frame.comment"), Field.new("frame.time_epoch")

-- What a capture of pytest-hdp's says of this packet, or nil
local function ours()
    for _, found in ipairs({ comment_of() }) do
        local text = tostring(found.value)
        if text:sub(1, #MARK) == MARK then
            return text
        end
    end
    return nil
end

-- Whether the comment says that this is bare HDP. Of an ICMP error it says so of what is quoted in it.
local function is_bare(text, number, buffer)
    local kind = buffer:len() > 0 and buffer(0, 1):uint()
    local is_error = kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12
    if number == 1 and is_error and text:find("ICMP error about", 1, true) then
        return false
    end
    return text:sub(-#BARE) == BARE or text:find(BARE .. ",", 1, true) ~= nil
end

local function is_text(bytes)
    for i = 0, bytes:len() - 1 do
        local byte = bytes:get_index(i)
        if (byte < 32 and byte ~= 9 and byte ~= 10 and byte ~= 13) or byte == 127 then
            return false
        end
    end
    return bytes:len() > 0
end

-- A tag has no magic number: 28 bytes of which the index is small are taken for one, since the indices of a run begin
-- at 1. In our own captures too: with hdp.every a datagram's header is read as HDP, and the tag is 8 bytes further on.
local function has_tag(buffer)
    if not hdp.prefs.tagged or buffer:len() < HEADER + TAG then
        return false
    end
    local index = buffer(HEADER + 8, 4):uint()
    return index > 0 and index < 16777216
end

local function add_header(tree, buffer)
    local stamp = buffer(4, 8)
    local value = stamp:uint64()
    local seconds, rest = value / 1000000000, value % 1000000000
    tree:add(fields.srcport, buffer(0, 2))
    tree:add(fields.dstport, buffer(2, 2))
    local when = NSTime.new(seconds:tonumber(), rest:tonumber())
    tree:add(fields.timestamp, stamp, when)
    tree:add(fields.timestamp_ns, stamp, value):set_generated()
    local captured = captured_at()
    if captured and math.abs(captured.value.secs - when.secs) < 3600 then
        tree:add(fields.age, stamp, captured.value - when):set_generated()
    end
end

local function add_tag(tree, buffer)
    local bytes = buffer(HEADER, TAG)
    local branch = tree:add(fields.tag, bytes)
    branch:set_text("Tag of a probe of pytest-hdp, index " .. bytes(8, 4):uint())
    branch:add(fields.run, bytes(0, 8))
    branch:add(fields.index, bytes(8, 4))
    branch:add(fields.mac, bytes(12, 16))
end

function hdp.dissector(buffer, pinfo, root)
    pinfo.cols.protocol = "HDP"
    local tree = root:add(hdp, buffer())
    if buffer:len() < HEADER then
        tree:add_proto_expert_info(short)
        return buffer:len()
    end
    add_header(tree, buffer)
    local info = buffer(0, 2):uint() .. " → " .. buffer(2, 2):uint()
    local start = HEADER
    if has_tag(buffer) then
        add_tag(tree, buffer)
        info = info .. "  index " .. buffer(HEADER + 8, 4):uint()
        start = HEADER + TAG
    end
    if buffer:len() > start then
        local content = buffer(start)
        tree:add(fields.content, content)
        if is_text(content:bytes()) then
            tree:add(fields.text, content, content:string()):set_generated()
        end
        info = info .. "  " .. content:len() .. " bytes"
    end
    pinfo.cols.info = info
    tree:append_text(", " .. info)
    return buffer:len()
end

-- Numbers that have a dissector keep it, but for packets that are known to be bare HDP. A datagram whose ports have a
-- dissector of their own never comes to our heuristic, so ours is shown below what that one says.
local UDP, UDP_HEADER = 17, 8
local shown = false
local by_number = DissectorTable.get("ip.proto")
local usual = {}
local either = Proto("hdp_or_usual", "HDP, or what else claims the number")
function either.dissector(buffer, pinfo, root)
    local text, number = ours(), pinfo.match_uint
    if hdp.prefs.every or (text and is_bare(text, number, buffer)) then
        return hdp.dissector(buffer, pinfo, root)
    end
    if number ~= UDP or not text or buffer:len() < UDP_HEADER + HEADER + TAG then
        text = nil
    end
    shown = false
    -- A packet that is malformed, as what is not DNS is under its port, is shown so, and raised here once more.
    local whole, length = pcall(usual[number].call, usual[number], buffer, pinfo, root)
    if text and not shown then
        hdp.dissector(buffer(UDP_HEADER):tvb(), pinfo, root)
        return buffer:len()
    end
    return whole and length or buffer:len()
end
for number = 0, 255 do
    usual[number] = by_number:get_dissector(number)
    by_number:add(number, usual[number] and either or hdp)
end

-- The control and well-formed probes of UDP: the capture says that there is HDP in the datagram.
hdp:register_heuristic("udp", function(buffer, pinfo, root)
    if ours() == nil or buffer:len() < HEADER + TAG then
        return false
    end
    hdp.dissector(buffer, pinfo, root)
    shown = true
    return true
end)
